#include "tests/bench/design/reliability.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

void reliability_record(reliability_t *r, double said, bool came)
{
    int bin = said >= 1 ? RELIABILITY_BINS - 1 : said <= 0 ? 0 : (int)(said * RELIABILITY_BINS);
    r->said[bin] += said;
    r->came[bin] += came;
    r->n[bin]++;
}

double reliability_error(const reliability_t *r)
{
    double sum = 0, n = 0;
    for (int i = 0; i < RELIABILITY_BINS; i++) {
        sum += fabs(r->said[i] - r->came[i]);
        n += r->n[i];
    }
    return n > 0 ? sum / n : 0;
}

void reliability_print(const reliability_t *all, size_t n)
{
    printf("reliability: stated probability -> share that came true (decisions)\n  %-7s", "");
    for (int i = 0; i < RELIABILITY_BINS; i++)
        printf("  %.1f..%.1f         ", i / 10.0, (i + 1) / 10.0);
    printf("\n");
    for (size_t k = 0; k < n; k++) {
        printf("  %-7s", all[k].name);
        for (int i = 0; i < RELIABILITY_BINS; i++) {
            if (all[k].n[i] > 0)
                printf("  %.2f->%.2f (%5d)", all[k].said[i] / all[k].n[i], all[k].came[i] / all[k].n[i],
                       all[k].n[i]);
            else
                printf("  %-18s", "-");
        }
        printf("  expected error %.3f\n", reliability_error(&all[k]));
    }
}

static void plot_one(FILE *out, const reliability_t *r, const char *colour, int row)
{
    for (int i = 0; i < RELIABILITY_BINS; i++) {
        if (r->n[i] == 0)
            continue;
        double x = 60 + 320 * r->said[i] / r->n[i], y = 360 - 320 * r->came[i] / r->n[i];
        fprintf(out,
                "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"%s\" fill-opacity=\"0.6\"><title>%s: said "
                "%.3f, came true %.3f of %d"
                "</title></circle>\n",
                x, y, 3 + 1.6 * log10(r->n[i]), colour, r->name, r->said[i] / r->n[i], r->came[i] / r->n[i],
                r->n[i]);
    }
    fprintf(out, "<text x=\"70\" y=\"%d\" fill=\"%s\">%s, expected error %.3f</text>\n", 58 + 18 * row,
            colour, r->name, reliability_error(r));
}

bool reliability_plot(const reliability_t *all, size_t n, const char *path, nv_error_t *err)
{
    static const char *const colours[] = {"#1f6fb4", "#c8641e", "#3a8f3a"};
    FILE *out = fopen(path, "w");
    if (out == NULL)
        return nv_fail_errno(err, errno, "%s", path);
    fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 420 420\" "
                 "font-family=\"sans-serif\" font-size=\"12\">\n"
                 "<rect width=\"420\" height=\"420\" fill=\"white\"/>\n<path d=\"M60 360L380 40\" "
                 "stroke=\"#999\" stroke-dasharray=\"4 4\"/>\n"
                 "<path d=\"M60 40V360H380\" fill=\"none\" stroke=\"black\"/>\n");
    for (int i = 0; i <= 10; i += 2)
        fprintf(out,
                "<text x=\"%d\" y=\"376\" text-anchor=\"middle\">%.1f</text><text x=\"54\" y=\"%d\" "
                "text-anchor=\"end\">%.1f</text>\n",
                60 + 32 * i, i / 10.0, 364 - 32 * i, i / 10.0);
    fprintf(out, "<text x=\"220\" y=\"400\" text-anchor=\"middle\">stated probability</text>\n"
                 "<text transform=\"translate(22 200) rotate(-90)\" text-anchor=\"middle\">share that came "
                 "true</text>\n");
    for (size_t k = 0; k < n && k < sizeof colours / sizeof colours[0]; k++)
        plot_one(out, &all[k], colours[k], (int)k);
    fprintf(out, "</svg>\n");
    return fclose(out) == 0 || nv_fail_errno(err, errno, "%s", path);
}
