#include "tests/bench/learning/person.h"

#include <string.h>

static void want_no_history(Nv__DimensionDesign *dimension, person_view_t *view)
{
    for (size_t i = 0; dimension->effective_from[0] == '\0' && i < dimension->n_attributes; i++) {
        Nv__AttributeDesign *attribute = dimension->attributes[i];
        if (attribute->source == NULL || strcmp(attribute->source->column, "segment") != 0)
            continue;
        view->wishes++;
        view->unmet += attribute->scd != NV__SCD_TYPE__SCD_TYPE_1;
        attribute->scd = NV__SCD_TYPE__SCD_TYPE_1;
    }
}

static void want_euros(Nv__FactDesign *fact, person_view_t *view)
{
    for (size_t i = 0; i < fact->n_measures; i++) {
        Nv__MeasureDesign *measure = fact->measures[i];
        if (!strstr(measure->name, "total") && !strstr(measure->name, "amount"))
            continue;
        view->wishes++;
        view->unmet += strcmp(measure->unit, "EUR") != 0;
        measure->unit = (char *)"EUR";
    }
}

person_view_t person_correct(Nv__StarSchema *star)
{
    person_view_t view = {0};
    for (size_t i = 0; i < star->n_dimensions; i++)
        want_no_history(star->dimensions[i], &view);
    for (size_t i = 0; i < star->n_facts; i++)
        want_euros(star->facts[i], &view);
    return view;
}
