/* What C reaches on this memory: `read N` or `triad N` on stdin answers with the seconds of N iterations, one line.
 *
 * Compiled with gcc -O3 -march=native -fopenmp. Arguments: bytes of each of the three buffers.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define HUGE_PAGE_B (1 << 21)

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + 1e-9 * now.tv_nsec;
}

static double *filled(size_t n, double value) {
    double *buffer = aligned_alloc(HUGE_PAGE_B, n * sizeof(double));
    if (buffer == NULL) {
        perror("aligned_alloc");
        exit(1);
    }
    madvise(buffer, n * sizeof(double), MADV_HUGEPAGE); /* as numpy does for ours */
#pragma omp parallel for
    for (size_t i = 0; i < n; i++) buffer[i] = value;
    return buffer;
}

/* simd lets the compiler add in any order, which -O3 alone does not */
static double read_all(const double *a, size_t n) {
    double sum = 0;
#pragma omp parallel for simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) sum += a[i];
    return sum;
}

static void triad(double *restrict result, const double *restrict a, const double *restrict b, size_t n) {
#pragma omp parallel for simd
    for (size_t i = 0; i < n; i++) result[i] = a[i] + 3.0 * b[i];
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    size_t n = strtoull(argv[1], NULL, 10) / sizeof(double);
    double *a = filled(n, 1), *b = filled(n, 1), *result = filled(n, 1);
    volatile double kept; /* lest the sum is found to be of no use */
    char what[16];
    int iterations;
    while (scanf("%15s %d", what, &iterations) == 2) {
        for (int i = 0; i < iterations; i++) {
            double began = seconds();
            if (strcmp(what, "read") == 0) kept = read_all(a, n);
            else triad(result, a, b, n);
            printf("%.9f ", seconds() - began);
        }
        printf("\n");
        fflush(stdout);
    }
    return kept < 0;
}
