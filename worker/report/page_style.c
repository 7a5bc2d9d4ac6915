#include "worker/report/page.h"

void page_style(nv_buf_t *buf)
{
    nv_buf_puts(
        buf,
        "<style>\n"
        ":root{--ink:#1d2733;--dim:#66727f;--line:#dfe5ea;--card:#ffffff;--ground:#f4f6f8;--accent:#1b5e7a;"
        "--good:#2f7d4f;--warn:#a86b00;--bad:#b3261e}\n"
        "@media(prefers-color-scheme:dark){:root{--ink:#e3e9ee;--dim:#94a1ad;--line:#2c3742;--card:#1a222b;"
        "--ground:#11171d;--accent:#6fb7d6;--good:#6cc48f;--warn:#e0a94b;--bad:#ef7d75}"
        ".er{background:#f4f6f8;border-radius:8px}}\n"
        "*{box-sizing:border-box}body{margin:0;background:var(--ground);color:var(--ink);"
        "font:15px/1.5 system-ui,sans-serif}\n"
        "main{max-width:1180px;margin:0 "
        "auto;padding:24px}h1{font-size:28px;margin:0}h2{font-size:20px;margin:0 0 12px}"
        "h3{font-size:16px;margin:20px 0 6px}\n"
        "section{background:var(--card);border:1px solid "
        "var(--line);border-radius:10px;padding:20px;margin:18px 0}\n"
        "nav{margin:10px 0}nav a{color:var(--accent);margin-right:14px;text-decoration:none}\n"
        ".facts{display:flex;flex-wrap:wrap;gap:12px;margin:16px 0}.fact{background:var(--card);border:1px "
        "solid "
        "var(--line);border-radius:10px;padding:12px 18px;min-width:130px}.fact "
        "b{display:block;font-size:22px}"
        ".fact span{color:var(--dim);font-size:13px}\n"
        ".scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:13px}th{text-align:left;"
        "color:var(--dim);font-weight:600}th,td{padding:5px 10px 5px 0;border-bottom:1px solid var(--line);"
        "vertical-align:top}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}\n"
        ".pass{color:var(--good)}.warn{color:var(--warn)}.fail,.error{color:var(--bad);font-weight:600}"
        ".dim{color:var(--dim)}code{font:12px ui-monospace,monospace}\n"
        ".bar{fill:var(--accent)}.er{overflow:auto;padding:8px}.er svg{max-width:100%;height:auto}\n"
        "details{margin:6px 0}summary{cursor:pointer;font-weight:600;padding:4px 0}"
        "footer{color:var(--dim);font-size:13px;margin:20px 0}\n"
        "</style>\n");
}
