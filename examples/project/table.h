/* Lines of a table, in the master alone. */
#ifndef TABLE_H
#define TABLE_H

void table_head(void);
void table_row(const char *name, const char *kind, long processors, long load);

#endif
