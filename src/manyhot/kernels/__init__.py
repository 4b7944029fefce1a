"""How a formula runs: one engine per kind of machine, all with the same answers.

words         what a loss formula is written in
formula       binds a formula to the words of an engine
cells         the targets of one batch: dense, or only what is not a plain negative
curves        a pointwise loss as data
reduction     mean, batchmean, sum, none
pointwise     chooses the engine of a pointwise loss: torch_engine (any device), numba_engine or triton_engine
source        formulas as modules that a compiler takes; pointwise_source: the cost of one cell
numba_*       the CPU engine: math and header of its kernels, the pointwise kernel, those of rows
triton_*      the GPU engine: the same
row_sums      the sums that row-wise losses read; row_split is their wide part, triton_row_split on the GPU
row_totals    costs made of row sums with their gradient at once, numba_rows; both_ways, numba_both_ways: also
              of labels; written: what hands such a gradient to autograd
pairs         sums over pairs of a positive and a negative; hinges and logistic_pairs are its CPU kernels
memory, dense_scan   room for gradients; dense targets made sparse, on the CPU
pool          a few threads over the rows
sorting, ranks, pooled, floors   sorts and sweeps of scores, for metrics and decisions
elimination   the best legal sets of linked labels; row_digests tells rows apart by their scores

Nothing is imported here: metrics use the sorts without torch, losses the rest without Numba or Triton.
"""
