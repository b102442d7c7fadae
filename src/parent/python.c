/* Connection method "python": a Python interpreter that becomes a context of Mitogen.
 *
 * What is run and most of what the interpreter reads come ready-made from the master, as a module
 * (python/mitosis/modules.py): its LOAD_MODULE has, where a package lists its modules, the version
 * of Mitogen and the program for python -c; and the compressed source of mitogen.core. Here only
 * the configuration of the one context is put behind it. */
#include <string.h>

#include "base/format.h"
#include "child/config.h"
#include "parent/method.h"

static const struct option options[] = {
    OPTION(mito_python_options, python_path, OPTION_WORD),
    {0},
};

/* As Python's numbers, and as Python's literals. */
static int append_config(struct buf *out, const struct router_config *r, const char *version)
{
    static const unsigned char levels[] = {40, 30, 20, 10, 5};
    unsigned level = levels[r->log_level];

    if (buf_str(out, "\nExternalContext({'parent_ids':[") < 0)
        return -1;
    for (size_t i = 0; i < r->parent_count; i++) {
        if (buf_printf(out, "%u,", r->parent_ids[i]) < 0)
            return -1;
    }
    return buf_printf(out,
                      "],'context_id':%u,'unidirectional':bool(%u),'max_message_size':%u,"
                      "'log_level':%u,'log_levels':[%u]*3,'version':%s,'debug':False,"
                      "'profiling':False,'whitelist':(),'blacklist':(),'import_blocks':(),"
                      "'import_overrides':()}).main()\n",
                      r->id, (unsigned)r->unidirectional, r->max_message_size, level, level,
                      version);
}

static void add_number(struct argv *argv, size_t number)
{
    char text[24];

    format_to(text, sizeof text, "%zu", number);
    argv_add(argv, text);
}

/* The words behind -c: title, and the lengths of the two parts of the input. */
static int program(const void *opaque, const struct child_config *config,
                   const struct mito_value *module, struct argv *argv, struct buf *input)
{
    const struct mito_python_options *o = opaque;
    const struct mito_value *head = mito_value_item(module, 1);
    size_t core_length = 0;
    const char *version = mito_value_str(mito_value_item(head, 0), NULL);
    const char *stage = mito_value_str(mito_value_item(head, 1), NULL);
    const void *core = mito_value_bytes(mito_value_item(module, 3), &core_length);

    if (version == NULL || stage == NULL || core == NULL)
        return error_prefix("what the master sent to start Python with");
    if (buf_append(input, core, core_length) < 0 ||
        append_config(input, &config->router, version) < 0)
        return -1;
    argv_add(argv, o->python_path != NULL ? o->python_path : "python3");
    argv_add(argv, "-c");
    argv_add(argv, stage);
    argv_add(argv, config->title);
    add_number(argv, core_length);
    add_number(argv, input->length - core_length);
    return argv_done(argv);
}

static const struct saying sayings[] = {
    {"is too old for Mitogen", MITO_E_NO_TOOL,
     "the Python there is too old for this Mitogen; give the path of another one (python_path)"},
    {"SyntaxError: ", MITO_E_NO_TOOL,
     "the Python there is too old for this Mitogen; give the path of another one (python_path)"},
    {"No module named 'imp'", MITO_E_NO_TOOL,
     "the Python there is too new for the Mitogen of the master; give the path of another one "
     "(python_path), or a newer Mitogen to the master"},
    {0},
};

const struct method method_python = {
    .name = "python",
    .options_size = sizeof(struct mito_python_options),
    .options = options,
    .direct = true,
    .module = "mitosis.python",
    .program = program,
    .mark = "MITO",
    .sayings = sayings,
};
