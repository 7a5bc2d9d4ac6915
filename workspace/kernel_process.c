#include "workspace/kernel_process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { CHILD_FD = 3, MAX_LOG = 16 * 1024 * 1024 };

/* Keeps the kernel's log from growing without end: a long one becomes LOG.old. */
static void turn_log(const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && st.st_size > MAX_LOG) {
        NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("log");
        rename(path, nv_printf(mem, "%s.old", path));
    }
}

static void set_actions(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes, int child_fd,
                        const char *log_path)
{
    posix_spawn_file_actions_init(actions);
    posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(actions, 1, log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(actions, 1, 2);
    posix_spawn_file_actions_adddup2(actions, child_fd, CHILD_FD);
    posix_spawnattr_init(attributes);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &all);
    posix_spawnattr_setpgroup(attributes, 0);
    posix_spawnattr_setflags(attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

static int spawn_python(const ws_kernel_config_t *config, int child_fd, pid_t *pid)
{
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("spawn");
    char *arguments[] = {
        nv_strdup(mem, config->python),
        nv_strdup(mem, "-u"),
        nv_strdup(mem, "-B"),
        nv_printf(mem, "%s/main.py", config->kernel_dir),
        nv_strdup(mem, "--fd"),
        nv_printf(mem, "%d", CHILD_FD),
        nv_strdup(mem, "--root"),
        nv_strdup(mem, config->unity_dir),
        nv_strdup(mem, "--jars"),
        nv_strdup(mem, config->jars_dir),
        nv_strdup(mem, "--work"),
        nv_strdup(mem, config->work_dir),
        nv_strdup(mem, "--memory"),
        nv_strdup(mem, config->memory),
        nv_strdup(mem, "--jit"),
        nv_strdup(mem, config->jit),
        nv_strdup(mem, "--cores"),
        nv_printf(mem, "%d", config->cores),
        NULL,
    };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    set_actions(&actions, &attributes, child_fd, config->log_path);
    int code = posix_spawn(pid, config->python, &actions, &attributes, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return code;
}

bool ws_process_spawn(const ws_kernel_config_t *config, ws_process_t *out, nv_error_t *err)
{
    int pair[2];
    turn_log(config->log_path);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return nv_fail_errno(err, errno, "socketpair for the Spark kernel");
    }
    /* dup2 onto itself would keep close-on-exec, so the child's end must lie elsewhere. */
    int child = fcntl(pair[1], F_DUPFD_CLOEXEC, CHILD_FD + 1);
    close(pair[1]);
    int code = child < 0 ? errno : spawn_python(config, child, &out->pid);
    if (child >= 0) {
        close(child);
    }
    if (code != 0) {
        close(pair[0]);
        out->pid = 0;
        return nv_fail_errno(err, code, "%s (the Python with pyspark, made by workspace/kernel/install.sh)",
                             config->python);
    }
    out->fd = pair[0];
    return true;
}

static const char *ended(nv_mem_t *mem, int status)
{
    if (WIFSIGNALED(status)) {
        return nv_printf(mem, "killed by signal %d", WTERMSIG(status));
    }
    return nv_printf(mem, "exit status %d", WEXITSTATUS(status));
}

const char *ws_process_reap(ws_process_t *process, int grace_ms, nv_mem_t *mem)
{
    int status = 0;
    pid_t got = 0;
    for (int waited = 0; waited <= grace_ms && got == 0; waited += 20) {
        got = waitpid(process->pid, &status, WNOHANG);
        if (got == 0) {
            poll(NULL, 0, 20);
        }
    }
    kill(-process->pid, SIGKILL); /* the JVM is in the group too */
    if (got == 0) {
        waitpid(process->pid, &status, 0);
    }
    process->pid = 0;
    return ended(mem, status);
}

static bool send_all(int fd, const void *data, size_t length, nv_error_t *err)
{
    const char *p = data;
    while (length) {
        ssize_t n = send(fd, p, length, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return nv_fail_errno(err, errno, "writing to the Spark kernel");
        }
        p += n;
        length -= (size_t)n;
    }
    return true;
}

bool ws_frame_send(int fd, const char *text, size_t length, nv_error_t *err)
{
    if (length > WS_FRAME_MAX) {
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "a message of %zu bytes to the Spark kernel: at most %d",
                       length, WS_FRAME_MAX);
    }
    uint32_t head = htonl((uint32_t)length);
    return send_all(fd, &head, sizeof head, err) && send_all(fd, text, length, err);
}

/* *got is false at the end of the stream. */
static bool receive_all(int fd, void *data, size_t length, bool *got, nv_error_t *err)
{
    char *p = data;
    *got = true;
    while (length) {
        ssize_t n = recv(fd, p, length, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno != ECONNRESET) {
            return nv_fail_errno(err, errno, "reading from the Spark kernel");
        }
        if (n <= 0) {
            *got = false;
            return true;
        }
        p += n;
        length -= (size_t)n;
    }
    return true;
}

bool ws_frame_receive(int fd, nv_mem_t *mem, char **text, size_t *length, nv_error_t *err)
{
    uint32_t head = 0;
    bool got = false;
    *text = NULL;
    if (!receive_all(fd, &head, sizeof head, &got, err) || !got) {
        return err->code == NV_OK;
    }
    *length = ntohl(head);
    if (*length > WS_FRAME_MAX) {
        return nv_fail(err, NV_DATA_LOSS, "the Spark kernel announced a frame of %zu bytes", *length);
    }
    char *data = nv_alloc(mem, *length + 1);
    if (!receive_all(fd, data, *length, &got, err)) {
        return false;
    }
    *text = got ? data : NULL;
    return true;
}
