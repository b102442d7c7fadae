#include "parent/first_stage.h"

#include "child/config.h"
#include "parent/kind.h"

/* Where an executable may be put for the moment of starting it: memory first. A place will do when
 * a directory can be made there that nobody else has, and when what is in it can be executed (an
 * empty file is a shell script that succeeds; or is not found, by a busybox that needs /proc to run
 * scripts: what may not be executed fails with 126).
 *
 * The image is written through a descriptor (9) to a file that is already removed, and started
 * through another (8): it has a name for a moment only, before a word is said, and nothing is left
 * when anything dies. The descriptor 9 is kept from head, which may live a moment longer than the
 * pipe: nobody may have the file open for writing when it is started. Without /proc the file keeps
 * its name, and the image removes it (third argument); a lost connection must not end the shell
 * before it has done so, hence the trap (not ignored: the image would inherit that). */
static const char beginning[] =
    "trap : HUP PIPE; u=$(uname -m); say() { echo \"" FIRST_STAGE_MARK "$*\"; }; "
    "get() { head -c $1 2>/dev/null || dd bs=1 count=$1 2>/dev/null; }; ";

/* What is said, and done, when the machine is of another kind. */
static const char other_kind[] = "say ARCH $u";
static const char throw_away[] = "; read -r k n; get $n >/dev/null";

static const char rest[] =
    "m=; t=; for d in \"$XDG_RUNTIME_DIR\" /dev/shm /run /tmp /var/tmp \"$HOME\" .; do "
    "[ -d \"$d\" ] || continue; m=$d/.mitosis-$$; f=$m/image; "
    "if (umask 077; mkdir \"$m\") 2>/dev/null; then "
    "(: >\"$f\" && chmod 700 \"$f\" && { \"$f\" || [ $? = 127 ]; }) >/dev/null 2>&1 </dev/null && "
    "break; "
    "rm -rf \"$m\"; t=\"$t $d(cannot execute)\"; "
    "else t=\"$t $d(cannot write)\"; fi; m=; done; "
    "[ -n \"$m\" ] || { say PLACE \"${t# }\"; exit 73; }; "
    "exec 8<\"$f\" 9>|\"$f\"; p=/proc/self/fd/8; "
    "if [ -e $p ]; then rm -rf \"$m\"; m=; else p=$f; fi; "
    "say 000 $u; read -r k n; "
    "[ \"$k\" = raw ] || command -v gzip >/dev/null 2>&1 || "
    "{ get $n >/dev/null; say RAW; read -r k n; }; "
    "if [ \"$k\" = gz ]; then get $n 9>&- | gzip -dc >&9; else get $n >&9; fi || "
    "{ rm -rf \"$m\"; say WRITE \"$d\"; exit 74; }; "
    "exec 9>&-; exec \"$p\" " CHILD_ARGUMENT " ";

int first_stage_command(struct buf *out, const char *config, int kind, bool eager)
{
    if (buf_str(out, "exec sh -c '") < 0 || buf_str(out, beginning) < 0 ||
        buf_printf(out, "case $u in %s) ;; *) %s%s;; esac; ", kinds[kind].machines, other_kind,
                   eager ? throw_away : "") < 0 ||
        buf_str(out, rest) < 0 || buf_str(out, config) < 0 || buf_str(out, " ${m:+\"$m\"}'") < 0)
        return -1;
    return buf_byte(out, 0);
}
