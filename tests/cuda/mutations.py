"""Mistakes planted in the kernels, each named, and the check that must catch it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """A textual change of a source, at the first place where ``was`` stands; ``check`` is of what it breaks."""

    name: str
    source: str
    was: str
    becomes: str
    check: str


ORDERED, CODES, FOREST, TABLES = "ordered.cuh", "threshold_codes.cuh", "forest.cu", "shap_tables.cu"
PATHS, ENTRIES, ROWS = "shap_paths.cu", "als_entries.cuh", "als_rows.cu"
CHOLESKY, TOP = "als_cholesky.cu", "top_k.cu"
BARRIER = "__syncthreads();"
MUTATIONS = [
    Mutation("no barrier before values overwrite missing", CODES, BARRIER, "", "scores"),
    Mutation("no barrier before codes are read", CODES, f"    {BARRIER}\n}}", "}", "scores"),
    Mutation("equal to a threshold goes left", CODES, "<= value", "< value", "scores"),
    Mutation(
        "a search that leaves out the last threshold", CODES, "while (low < last)", "while (low + 1 < last)", "scores"
    ),
    Mutation("negative numbers in reverse", ORDERED, "(int)(0x80000000u - (unsigned)bits)", "bits", "scores"),
    Mutation("NaN is a value", CODES, "if (isnan(value)) continue;", "", "scores"),
    Mutation("the other default direction", CODES, "= missing[word]", "= ~missing[word]", "scores"),
    Mutation("no parity of categories", CODES, "count & kept_bits[column]", "count", "scores"),
    Mutation("no guard of the last tile", CODES, "if (first + row < n)", "if (true)", "scores"),
    Mutation("rows and lanes swapped", CODES, "row = threadIdx.x / lanes", "row = threadIdx.x % lanes", "scores"),
    Mutation("the right child is the left one", FOREST, ">= (split.x", "> (split.x", "scores"),
    Mutation("no barrier before sums are added", FOREST, BARRIER, "", "scores"),
    Mutation("no barrier before sums are used again", FOREST, f"{BARRIER}\n    }}\n", "}\n", "scores"),
    Mutation("a margin beyond the last row", FOREST, "share == 0 && first + row < n", "share == 0", "scores"),
    Mutation("strides of rows and outputs swapped", FOREST, "* outputs + output", "+ output * n", "scores"),
    Mutation("the first share left out", FOREST, "int other = 0;", "int other = 1;", "scores"),
    Mutation("every thread writes the margin", FOREST, "share == 0 &&", "", "scores"),
    Mutation("patterns beyond the last row", TABLES, "if (first + row >= n) return;", "", "explanations"),
    Mutation(
        "strides of patterns swapped",
        TABLES,
        "group * n + first + row",
        "(first + row) * groups + group",
        "explanations",
    ),
    Mutation("bits in the other order", TABLES, "question - start)", "end - 1 - question)", "explanations"),
    Mutation("no barrier before look-ups", TABLES, BARRIER, "", "explanations"),
    Mutation(
        "no barrier before the next tables",
        TABLES,
        f"next += entries;\n        {BARRIER}",
        "next += entries;",
        "explanations",
    ),
    Mutation(
        "a table too many in shared memory", TABLES, "<= TABLE_ENTRIES", "<= TABLE_ENTRIES + 4096", "explanations"
    ),
    Mutation("tables at half their distance", TABLES, "looked_up += 1 <<", "looked_up += 1 << 0 *", "explanations"),
    Mutation("the tile not turned", TABLES, "= turned[across][k]", "= turned[k][across]", "explanations"),
    Mutation(
        "no barrier before the tile is turned",
        TABLES,
        f"    {BARRIER}\n    int feature",
        "    int feature",
        "explanations",
    ),
    Mutation(
        "a segment left out",
        TABLES,
        "place = feature_offsets[feature];",
        "place = feature_offsets[feature] + 1;",
        "explanations",
    ),
    Mutation("segments in the order of features", TABLES, "sums[segments[place] * n", "sums[place * n", "paths"),
    Mutation(
        "strides of codes swapped",
        PATHS,
        "codes[column * n + first + row]",
        "codes[(first + row) * columns + column]",
        "paths",
    ),
    Mutation("no barrier before the next players", PATHS, f"{BARRIER}\n    if (player", "if (player", "paths"),
    Mutation("no barrier before players are read", PATHS, f"    }}\n    {BARRIER}\n}}", "    }\n}", "paths"),
    Mutation("present for absent", PATHS, "factors[player][~lost", "factors[player][lost", "paths"),
    Mutation("absent players paid, not charged", PATHS, "[0][point] = at.w", "[0][point] = -at.w", "paths"),
    Mutation("an interval with its end", PATHS, ">= (asked.y >> 8", "> (asked.y >> 8", "paths"),
    Mutation("a question left out", PATHS, "question < last", "question + 1 < last", "paths"),
    Mutation("the shortest paths' points for all", PATHS, "rule * (rule - 1) / 2 * POINTS", "0", "paths"),
    Mutation("points without weights", PATHS, "worth[leaf] * at[point].z", "worth[leaf]", "paths"),
    Mutation("the last players' gains for all", PATHS, "if (first + players < end)", "if (false)", "paths"),
    Mutation("sums that begin anywhere", PATHS, "sums[segment * n + row] = 0.0f;", ";", "paths"),
    Mutation("a leaf of the next share", PATHS, "leaf < first_leaves", "leaf <= first_leaves", "paths"),
    Mutation("sums beyond the last row", PATHS, "real = row < n", "real = true", "paths"),
    Mutation("codes beyond the last row", PATHS, "(real ? row : n - 1)", "row", "paths"),
    Mutation("no barrier before the next tile", ENTRIES, f"{BARRIER}\n        if (!loaded)", "if (!loaded)", "rows"),
    Mutation(
        "no barrier before a tile is read",
        ENTRIES,
        f"load(row, first, count);\n            {BARRIER}",
        "load(row, first, count);",
        "rows",
    ),
    Mutation(
        "no barrier before weights are read",
        ENTRIES,
        f"wanted, first, count);\n        {BARRIER}",
        "wanted, first, count);",
        "rows",
    ),
    Mutation("no barrier before totals are added", ENTRIES, f"= total;\n    {BARRIER}", "= total;", "rows"),
    Mutation(
        "no barrier before the first lengths",
        ROWS,
        f"    }}\n    {BARRIER}\n    Sizes sizes",
        "    }\n    Sizes sizes",
        "rows",
    ),
    Mutation(
        "vectors at another distance than they are read",
        ENTRIES,
        "tile[entry * row.stride + k] = vector",
        "tile[entry * row.width + k] = vector",
        "rows",
    ),
    Mutation("the row's own lambda left out", ENTRIES, "1.0f + excess * inverse[k]", "1.0f", "rows"),
    Mutation("a row without entries left as it was", ROWS, "own[k] = 0;", ";", "rows"),
    Mutation("steepest descent", ROWS, "+ next.residual / sizes.residual * along[k]", "", "rows"),
    Mutation("the last tile taken for the row", ROWS, "row.count <= tile_entries, !last", "true, !last", "rows"),
    Mutation("no loss for steps", ROWS, "value -= length * sizes.residual;", "", "rows"),
    Mutation("c for c - 1", ENTRIES, "confidence - extra * dot", "confidence - (1.0f + extra) * dot", "rows"),
    Mutation("rows stopped early", ENTRIES, "EXACT = 1e-10f", "EXACT = 1e-2f", "rows"),
    Mutation(
        "no barrier before the next entries",
        CHOLESKY,
        f"{BARRIER}\n        if (!loaded) load",
        "if (!loaded) load",
        "equations",
    ),
    Mutation(
        "no barrier before a triangle is filled",
        CHOLESKY,
        f"{BARRIER}\n        for (int down = threadIdx.x",
        "for (int down = threadIdx.x",
        "equations",
    ),
    Mutation(
        "no barrier before a triangle is factorised",
        CHOLESKY,
        f"    {BARRIER}\n}}\n\n// The Cholesky factor of four",
        "}\n\n// The Cholesky factor of four",
        "equations",
    ),
    Mutation(
        "no barrier before four columns are taken out",
        CHOLESKY,
        f"{BARRIER}\n        if (threadIdx.x == 0) corner",
        "if (threadIdx.x == 0) corner",
        "equations",
    ),
    Mutation(
        "no barrier before the next corner",
        CHOLESKY,
        f"take_out(triangle, width, first);\n        {BARRIER}",
        "take_out(triangle, width, first);",
        "equations",
    ),
    Mutation(
        "no barrier on the way down",
        CHOLESKY,
        f"{BARRIER}\n        float own[SIDE];\n        for (int j = 0",
        "float own[SIDE];\n        for (int j = 0",
        "equations",
    ),
    Mutation(
        "no barrier on the way up",
        CHOLESKY,
        f"{BARRIER}\n        float own[SIDE];\n        for (int j = SIDE - 1",
        "float own[SIDE];\n        for (int j = SIDE - 1",
        "equations",
    ),
    Mutation("equations without M", CHOLESKY, "? metric[down + i] : 0.0f", "? 0.0f : 0.0f", "equations"),
    Mutation("equations of c", CHOLESKY, "= row.alpha * row.strengths", "= 1 + row.alpha * row.strengths", "equations"),
    Mutation(
        "the last tile taken for all",
        CHOLESKY,
        "row.count <= row.tile_entries, triangle",
        "true, triangle",
        "equations",
    ),
    Mutation(
        "a corner's column left out", CHOLESKY, "j < i; j++) factor[i][i]", "j < i - 1; j++) factor[i][i]", "equations"
    ),
    Mutation(
        "a square too few", CHOLESKY, "start + threadIdx.x / ACROSS", "start + SIDE + threadIdx.x / ACROSS", "equations"
    ),
    Mutation(
        "L for its transpose", CHOLESKY, "first + l)[first + j] * own", "first + j)[first + l] * own", "equations"
    ),
    Mutation("solved but once", CHOLESKY, "step == steps ||", "step == 1 ||", "equations"),
    Mutation("one triangle for all blocks", CHOLESKY, "(long long)blockIdx.x *", "0LL *", "equations"),
    Mutation(
        "no barrier before maxima are compared",
        TOP,
        f"if (threadIdx.x == 0) count = 0;\n    {BARRIER}",
        "if (threadIdx.x == 0) count = 0;",
        "lists",
    ),
    Mutation("the best strand for the k-th", TOP, "better == k - 1", "better == 0", "lists"),
    Mutation("no margin", TOP, "number_of(other) - margin", "number_of(other)", "lists"),
    Mutation("exact scores in float32", TOP, "double sum = 0;", "float sum = 0;", "lists"),
    Mutation(
        "ties to the higher number", TOP, "found.columns[other] < column", "found.columns[other] > column", "lists"
    ),
    Mutation("hidden items where nothing else is left", TOP, "HIDDEN + 1", "HIDDEN", "lists"),
    Mutation("an item barred for nobody", TOP, "at < barred_count", "at < barred_count - 1", "lists"),
    Mutation("a full buffer is not seen", TOP, "held > k + ROUND", "held > k + 9 * ROUND", "lists"),
    Mutation("a settled buffer is read again", TOP, "found.columns = settled;", "", "lists"),
    Mutation(
        "no barrier before the next candidates", TOP, f"held = count;\n        {BARRIER}", "held = count;", "lists"
    ),
    Mutation("an atomic made plain", TOP, "atomicAdd(&count, 1)", "count++", "lists"),
    Mutation("scores that are not told", TOP, "found.told[better] = by.told(column, score);", "", "lists"),
    Mutation("no score where a list has ended", TOP, "if (!filled) found.told", "if (false) found.told", "lists"),
    Mutation("rows of scores at another distance", TOP, "blockIdx.x * width};", "blockIdx.x * k};", "lists"),
    Mutation("rows of lists at another distance", TOP, "lists + (long long)blockIdx.x * width", "lists", "lists"),
    Mutation("values for their sizes", TOP, " & 0x7fffffff", "", "largest"),
    Mutation(
        "sizes for values",
        TOP,
        "double) const { return values[column]; }",
        "double size) const { return __int_as_float((int)size); }",
        "largest",
    ),
    Mutation("equal to the least left out", TOP, "by.place(column) >= least", "by.place(column) > least", "largest"),
    Mutation("rows of values at another distance", TOP, "values + (long long)blockIdx.x * m", "values", "largest"),
    Mutation("the last column left out", TOP, "min(first + ROUND, m)", "min(first + ROUND, m - 1)", "largest"),
    Mutation(
        "strands that begin late",
        TOP,
        "int column = strand; column < m",
        "int column = 2 * strand; column < m",
        "largest",
    ),
]
