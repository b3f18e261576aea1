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
TRIANGLE, SLICE, SLICES = "als_triangle.cuh", "als_slices.cu", "als_slices.cuh"
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
    Mutation("the last tile taken for the row", ROWS, "row.count <= row.tile_entries, !last", "true, !last", "rows"),
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
        f"{BARRIER}\n        add_squares",
        "add_squares",
        "equations",
    ),
    Mutation(
        "no barrier before M is added",
        CHOLESKY,
        f"{BARRIER}\n    add_metric(metric, row",
        "add_metric(metric, row",
        "equations",
    ),
    Mutation(
        "no barrier before a triangle is factorised",
        CHOLESKY,
        f"+= metric[k];\n    {BARRIER}",
        "+= metric[k];",
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
    Mutation("equations without M", CHOLESKY, "+= metric[k];", "+= 0.0f;", "equations"),
    Mutation("equations of c", TRIANGLE, "= row.alpha * row.strengths", "= 1 + row.alpha * row.strengths", "equations"),
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
    Mutation("no barrier before a slice's next tile", SLICE, f"{BARRIER}\n        load", "load", "shared"),
    Mutation(
        "no barrier before a slice's tile is read",
        SLICE,
        f"load(part, first, count);\n        {BARRIER}",
        "load(part, first, count);",
        "shared",
    ),
    Mutation(
        "no barrier before a slice's weights are read",
        SLICE,
        f"{BARRIER}\n        add_columns",
        "add_columns",
        "shared",
    ),
    Mutation("no barrier before the weights change", SLICE, f"{BARRIER}\n        set_weights", "set_weights", "shared"),
    Mutation(
        "no barrier before the weights are read again",
        SLICE,
        f"{BARRIER}\n        add_squares",
        "add_squares",
        "shared",
    ),
    Mutation(
        "a triangle that begins anywhere", TRIANGLE, "first > 0 ? own[across + j] : 0.0f", "own[across + j]", "shared"
    ),
    Mutation("a slice's last entry left out", SLICE, "/ slices - begin)", "/ slices - begin) - 1", "shared"),
    Mutation("slices that overlap", SLICE, "begin = length * slice / slices", "begin = 0", "shared"),
    Mutation("owners counted from the first of all", SLICE, " - owners[0]", "", "shared"),
    Mutation("slices counted from the first of all", SLICE, "firsts[0] + blockIdx.x", "blockIdx.x", "shared"),
    Mutation("the slice of another row", SLICE, " - firsts[place], slices", " - firsts[0], slices", "shared"),
    Mutation("rows left out before they are solved", SLICE, "solutions > 0 && ", "", "shared"),
    Mutation("one place for the products of all slices", SLICE, "(long long)blockIdx.x * width + k", "k", "shared"),
    Mutation(
        "one place for the triangles of all slices", SLICE, "(long long)blockIdx.x * numbers + at", "at", "shared"
    ),
    Mutation("one place for the values of all slices", SLICE, "slice_values[blockIdx.x]", "slice_values[0]", "shared"),
    Mutation("every slice in every group", SLICES, "slice = slot / width;", "slice = 0;", "shared"),
    Mutation(
        "products at another distance",
        SLICES,
        "(long long)slice * width + slot % width",
        "(long long)slice * groups + slot % width",
        "shared",
    ),
    Mutation(
        "values of the first warp's slices alone",
        SLICES,
        "slice < slices.count; slice += WARP",
        "slice < 1; slice += WARP",
        "shared",
    ),
    Mutation("the last slice's triangle left out", SLICES, "slice < count;", "slice < count - 1;", "shared"),
    Mutation("no guard of a triangle's end", SLICES, "if (at < numbers) sums[k]", "sums[k]", "shared"),
    Mutation(
        "numbers side by side for numbers apart",
        SLICES,
        "int at = start + k * THREADS;",
        "int at = start + k;",
        "shared",
    ),
    Mutation("no barrier before a step's product", ROWS, f"const {{\n        {BARRIER}\n", "const {\n", "shared"),
    Mutation(
        "no barrier before a product is added",
        ROWS,
        f"= sum;\n        }}\n        {BARRIER}",
        "= sum;\n        }",
        "shared",
    ),
    Mutation(
        "the upper triangle is not the lower one",
        ROWS,
        "row_of(triangle, k)[own]",
        "row_of(triangle, own)[k]",
        "shared",
    ),
    Mutation(
        "curvature of the wrong sign", ROWS, "sum -= along[k] * product_of", "sum += along[k] * product_of", "shared"
    ),
    Mutation(
        "no barrier before steps on a triangle",
        ROWS,
        f"{BARRIER}\n    value += take_steps(OfTriangle",
        "value += take_steps(OfTriangle",
        "shared",
    ),
    Mutation("sums of the first row for all", ROWS, "firsts[blockIdx.x] - firsts[0]", "0", "shared"),
    Mutation("sums of other rows", ROWS, "firsts[blockIdx.x] - firsts[0]", "firsts[blockIdx.x]", "shared"),
    Mutation(
        "no barrier before slices' products are added",
        CHOLESKY,
        f"groups, partial);\n    {BARRIER}",
        "groups, partial);",
        "shared",
    ),
    Mutation(
        "no barrier before a residual is measured",
        CHOLESKY,
        f"* z[k];\n    }}\n    {BARRIER}",
        "* z[k];\n    }",
        "shared",
    ),
    Mutation(
        "no barrier before M is added to slices",
        CHOLESKY,
        f"{BARRIER}\n        add_metric(metric, width",
        "add_metric(metric, width",
        "shared",
    ),
    Mutation("a factor that is not kept", CHOLESKY, "kept[at] = triangle[at]", "triangle[at] = triangle[at]", "shared"),
    Mutation("solved from the beginning", CHOLESKY, "solved[blockIdx.x] = done", "solved[blockIdx.x] = true", "shared"),
    Mutation(
        "the value of the start",
        CHOLESKY,
        "values[number] = value + sizes.vector;",
        "if (solutions == 0) values[number] = value + sizes.vector;",
        "shared",
    ),
    Mutation("triangles of other rows", CHOLESKY, "firsts[blockIdx.x] - firsts[0]", "firsts[blockIdx.x]", "shared"),
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
    Mutation(
        "what is as good as the last taken for worse",
        TOP,
        "by.exact(column) <= last",
        "by.place(column) >= HIDDEN",
        "lists",
    ),
    Mutation("the first for the last", TOP, "settled[k - 1]", "settled[0]", "lists"),
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
    Mutation("equal to the least left out", TOP, "by.place(column) < least", "by.place(column) <= least", "largest"),
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
