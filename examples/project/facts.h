/* Facts about a machine: asked there, shown here. */
#ifndef FACTS_H
#define FACTS_H

#include <mitosis.h>

/* Takes nothing; returns the name of the machine, its kind, the number of its processors, and its
 * load as a percentage of what they bear. */
MITO_DECLARE_FUNCTION(facts);

#endif
