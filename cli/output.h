/* What people and scripts see on standard output: tables, JSON, YAML. */
#ifndef GW_CLI_OUTPUT_H
#define GW_CLI_OUTPUT_H

#include "base/buffer.h"
#include "cli/command.h"
#include "model/value.h"

/* A table: cells are copied, columns are as wide as their widest cell. */
#define OUTPUT_COLUMNS 12
struct output_table {
    struct buffer cells; /* each ended by NUL */
    size_t columns, rows;
    size_t widths[OUTPUT_COLUMNS];
};
void output_table_init(struct output_table *table, const char *const *headings,
                       size_t columns);
void output_cell(struct output_table *table, struct slice text);
void output_table_print(struct output_table *table); /* and deinit */

/* The tree as JSON (indented) or YAML: the same keys in the same order. */
void output_json(const struct value *value);
void output_yaml(const struct value *value);
/* Prints as -o json or -o yaml ask; false when another format was asked for. */
bool output_tree(const struct invocation *invocation, const struct value *value);
/* "41s", "3m", "2h", "5d"; "?" for an empty text. */
void output_age(struct slice milliseconds, char out[24]);
/* The same of a gw-lag header: "15s" of "14953ms", "?" of none. */
void output_lag(const char *lag, char out[24]);

#endif
