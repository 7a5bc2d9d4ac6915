/* A small HTTP endpoint for operators: GET /metrics (Prometheus text), /healthz (the process lives), /readyz
 * (it can serve: 200, or 503 with the reason). Everything else is 404, other methods 405. Plain HTTP; bind it
 * to loopback or to the pod's own network.
 *
 * It has a thread of its own (libevent). A connection serves one request; requests over 8 KiB and connections
 * idle over 10 s are dropped; at most 256 connections are accepted in 10 s, the others wait.
 */
#ifndef NV_TELEMETRY_METRICS_SERVER_H
#define NV_TELEMETRY_METRICS_SERVER_H

#include "common/telemetry/metrics.h"

typedef struct nv_metrics_server nv_metrics_server_t;

/* False with the reason in *err: not ready. Called on the server's thread; must be quick. */
typedef bool nv_ready_fn(void *arg, nv_error_t *err);

/* address "127.0.0.1:9464" or "[::1]:0" (port 0: any free one). ready may be NULL: always. metrics is
 * borrowed. */
bool nv_metrics_server_start(const char *address, nv_metrics_t *metrics, nv_ready_fn *ready, void *arg,
                             nv_metrics_server_t **out, nv_error_t *err) NV_MUST_CHECK;
/* The port it listens on. */
int nv_metrics_server_port(const nv_metrics_server_t *server);
/* Stops its thread; NULL is fine. */
void nv_metrics_server_stop(nv_metrics_server_t *server);

#endif
