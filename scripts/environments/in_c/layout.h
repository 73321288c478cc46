#ifndef CNTK_KERNELS_LAYOUT_H
#define CNTK_KERNELS_LAYOUT_H

/* Says that a conversion, or another primitive of Intel's, is no more. */
void conversion_forget(const void *primitive);

#endif
