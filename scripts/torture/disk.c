/*
 * A disk that forgets what was not synced, put under a process by LD_PRELOAD.
 *
 * DISK_HOME   the folder that lies on the disk
 * DISK_IMAGE  what would be left of it after a power cut: each file as it was at its last sync
 * DISK_ORDER  a file with the next fault: "<generation> <kind> <syncs from now> <argument>"
 *
 * Renames and unlinks reach the image with the next sync of anything, as on a journalling file system; a file that is
 * renamed without having been synced is empty there. Nothing is ever synced for real: the page cache outlives the
 * process, and the image is what counts.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define PENDING_MAX 4096

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct { char *from; char *to; } pending[PENDING_MAX];
static int pendingCount;

static long syncs, base;
static long generation = -1, at = 0, argument = 0;
static char kind[16] = "none";

static int (*realRename)(const char *, const char *);
static int (*realUnlink)(const char *);
static int (*realFlush)(FILE *);

__attribute__((constructor)) static void begin(void) {
  realRename = dlsym(RTLD_NEXT, "rename");
  realUnlink = dlsym(RTLD_NEXT, "unlink");
  realFlush = dlsym(RTLD_NEXT, "fflush_unlocked");
}

/* The part of an absolute path below DISK_HOME, or NULL for another place. */
static const char *below(const char *path) {
  const char *home = getenv("DISK_HOME");
  size_t length = home == NULL ? 0 : strlen(home);
  if (length == 0 || strncmp(path, home, length) != 0) return NULL;
  return path[length] == '/' ? path + length + 1 : path[length] == 0 ? "" : NULL;
}

static void imagePath(char *out, const char *relative) {
  snprintf(out, PATH_MAX, "%s/%s", getenv("DISK_IMAGE"), relative);
  for (char *slash = out + strlen(getenv("DISK_IMAGE")) + 1; (slash = strchr(slash, '/')); slash++) {
    *slash = 0;
    mkdir(out, 0700);
    *slash = '/';
  }
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

/* What only the directory knows reaches the disk, in its order. */
static void flushNames(void) {
  char from[PATH_MAX], to[PATH_MAX];
  for (int index = 0; index < pendingCount; index++) {
    imagePath(from, pending[index].from);
    if (pending[index].to == NULL) {
      realUnlink(from);
    } else {
      imagePath(to, pending[index].to);
      if (realRename(from, to) != 0) close(open(to, O_CREAT | O_TRUNC | O_WRONLY, 0600));
    }
    free(pending[index].from);
    free(pending[index].to);
  }
  pendingCount = 0;
}

/* Journals only grow: copies what is new. Anything that shrank is copied whole. */
static void flushFile(int fd, const char *relative) {
  char path[PATH_MAX], self[64];
  static char buffer[1 << 16];
  struct stat source, image;
  imagePath(path, relative);
  snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
  int in = open(self, O_RDONLY), out = open(path, O_CREAT | O_WRONLY, 0600);
  if (in < 0 || out < 0 || fstat(in, &source) != 0 || fstat(out, &image) != 0) abort();
  off_t from = image.st_size;
  if (image.st_size > source.st_size) from = ftruncate(out, 0);
  for (ssize_t got; (got = pread(in, buffer, sizeof buffer, from)) > 0; from += got)
    if (pwrite(out, buffer, (size_t)got, from) != got) abort();
  close(in);
  close(out);
}

static void readOrder(void) {
  long number, count, value;
  char name[16];
  FILE *file = getenv("DISK_ORDER") == NULL ? NULL : fopen(getenv("DISK_ORDER"), "r");
  if (file == NULL) return;
  if (fscanf(file, "%ld %15s %ld %ld", &number, name, &count, &value) == 4 && number != generation) {
    generation = number;
    base = syncs;
    at = count;
    argument = value;
    strcpy(kind, name);
  }
  fclose(file);
}

/* No file may grow by more than this from here on: what a full disk does, partial writes included. */
static void fill(int fd, long room) {
  struct stat now;
  struct rlimit limit;
  if (fstat(fd, &now) != 0 || getrlimit(RLIMIT_FSIZE, &limit) != 0) abort();
  limit.rlim_cur = (rlim_t)(now.st_size + room);
  setrlimit(RLIMIT_FSIZE, &limit);
}

static int synced(int fd, int (*real)(int)) {
  char self[64], path[PATH_MAX];
  struct stat kindOf;
  snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(self, path, sizeof path - 1);
  if (length < 0) return real(fd);
  path[length] = 0;
  const char *relative = below(path);
  if (relative == NULL || getenv("DISK_IMAGE") == NULL) return real(fd);
  pthread_mutex_lock(&lock);
  syncs++;
  readOrder();
  long since = syncs - base;
  int isDue = strcmp(kind, "none") != 0 && since >= at, isLie = strcmp(kind, "lie") == 0;
  if (isDue && strcmp(kind, "before") == 0) die();
  if (isDue && strcmp(kind, "eio") == 0) {
    pthread_mutex_unlock(&lock);
    errno = EIO;
    return -1;
  }
  if (isDue && strcmp(kind, "slow") == 0) usleep((useconds_t)argument * 1000);
  if (!isLie) {
    flushNames();
    if (fstat(fd, &kindOf) == 0 && S_ISREG(kindOf.st_mode)) flushFile(fd, relative);
  }
  if (isDue && (isLie || strcmp(kind, "after") == 0)) die();
  if (isDue && strcmp(kind, "full") == 0) fill(fd, argument);
  pthread_mutex_unlock(&lock);
  return 0;
}

int fdatasync(int fd) { return synced(fd, dlsym(RTLD_NEXT, "fdatasync")); }

int fsync(int fd) { return synced(fd, dlsym(RTLD_NEXT, "fsync")); }

/* The limit of fill() answers EFBIG; a full disk answers ENOSPC. */
int fflush_unlocked(FILE *file) {
  int result = realFlush(file);
  if (result != 0 && errno == EFBIG) errno = ENOSPC;
  return result;
}

static void remember(const char *from, const char *to) {
  const char *source = below(from), *target = to == NULL ? NULL : below(to);
  if (source == NULL || (to != NULL && target == NULL)) return;
  pthread_mutex_lock(&lock);
  if (pendingCount == PENDING_MAX) abort();
  pending[pendingCount].from = strdup(source);
  pending[pendingCount++].to = target == NULL ? NULL : strdup(target);
  pthread_mutex_unlock(&lock);
}

int rename(const char *from, const char *to) {
  int result = realRename(from, to);
  if (result == 0) remember(from, to);
  return result;
}

int unlink(const char *path) {
  int result = realUnlink(path);
  if (result == 0) remember(path, NULL);
  return result;
}
