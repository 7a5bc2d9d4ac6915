/* The options of nuvyn-controlplane. */
#ifndef CONTROLPLANE_OPTIONS_H
#define CONTROLPLANE_OPTIONS_H

#include "common/config/config.h"

extern const nv_config_schema_t cp_options;

#endif
