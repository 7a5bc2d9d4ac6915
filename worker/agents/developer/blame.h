/* Where a failed job run is to be mended, told by the class of its error. Pure. */
#ifndef WORKER_DEVELOPER_BLAME_H
#define WORKER_DEVELOPER_BLAME_H

/* "design": the data or the mapping does not hold what was said of it. "generate": the code is wrong. "": neither, the
 * workspace or its compute failed. error: a notebook's error message and trace. */
const char *blame_of_error(const char *error);

#endif
