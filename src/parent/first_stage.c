#include "parent/first_stage.h"

#include "child/config.h"
#include "parent/kind.h"

/* Where an executable may be put for the moment of starting it: memory first. A place will do when
 * a directory can be made there that nobody else has, and when what is in it can be executed (an
 * empty file is a shell script that succeeds; or is not found, by a busybox that needs /proc to run
 * scripts: what may not be executed fails with 126).
 *
 * The image is started through a descriptor (8) of a file that is already removed, and written
 * through it, opened anew: it has a name for a moment only, before a word is said, and nothing is
 * left when anything dies. Nobody may have the file open for writing when it is started, so no
 * shell has, but for what runs in the pipe. Some machines are slow to notice that the last writer
 * has ended ("text file busy"): the image is tried (it ends at once when nothing else is said), and
 * tried again, before it is started for good. Without /proc the file keeps its name, and the image
 * removes it (third argument); a lost connection must not end the shell before it has done so,
 * hence the trap (not ignored: the image would inherit that).
 *
 * Who cannot start the image after all ends, as shells do; but mksh only leaves the function, no
 * longer able to wait for children: hence the exit after it.
 *
 * A place that takes the file but not all of it is left for the next one, and the image asked for
 * again: what is left of it is read to its end first. Last comes a file in memory
 * (memfd_create(2)), for which a shell needs somebody else: perl or Python, in whose place this
 * script starts anew. It has then the file's descriptor, 7 at most, as $1, what is to be said next
 * as $2 and what was tried as $3. */
static const char beginning[] =
    "s=$1 x=$2 y=$3; trap : HUP PIPE; say() { echo \"" FIRST_STAGE_MARK "$*\"; }; "
    "[ -c /dev/null ] || { say PLACE \"/dev/null(missing)\"; exit 73; }; "
    "command -v rm >/dev/null || export PATH=\"${PATH:+$PATH:}/usr/bin:/bin\"; u=$(uname -m); "
    "get() { head -c $1 2>/dev/null || dd ibs=1 obs=4096 count=$1 2>/dev/null; }; ";

/* What is said, and done, when the machine is of another kind; by the first of the two alone. */
static const char other_kind[] = "say ARCH $u";
static const char throw_away[] = "; read -r k n; get $n >/dev/null";

static const char rest[] =
    "take() { exec 8<\"$f\"; eval \"$c\"; p=/proc/self/fd/8; "
    "if [ -e $p ]; then rm -rf \"$m\"; m=; else p=$f; fi; "
    "say $w; w=AGAIN; read -r k n || { rm -rf \"$m\"; say WRITE \"$d\"; exit 74; }; "
    "[ \"$k\" = raw ] || command -v gzip >/dev/null 2>&1 || "
    "{ get $n >/dev/null; say RAW; read -r k n; }; "
    "z=cat; [ \"$k\" = raw ] || z=\"gzip -dc\"; "
    "get $n | { $z >|\"$p\" || { cat >/dev/null; false; }; } && "
    "{ for i in 1 2 3; do \"$p\" " CHILD_ARGUMENT " </dev/null >/dev/null 2>&1; "
    "case $? in 12[67]) sleep 1 2>/dev/null || break;; *) break;; esac; done; exec "
    "\"$p\" " CHILD_ARGUMENT " ";

static const char end[] =
    " ${m:+\"$m\"}; }; "
    "e=full; { echo >>\"$p\"; } 2>/dev/null && e=damaged; t=\"$t $d($e)\"; }; "
    "m=; case $1 in ?) d=memory; f=/proc/self/fd/$1; c=\"exec $1>&-\"; w=$2; t=$3; take || exit;; "
    "*) c=; w=\"000 $u\"; t=; "
    "for d in \"$XDG_RUNTIME_DIR\" /dev/shm /run /tmp /var/tmp \"$HOME\" .; do "
    "[ -d \"$d\" ] || continue; m=$d/.mitosis-$$; f=$m/image; "
    "if (umask 077; mkdir \"$m\") 2>/dev/null; then "
    "if (: >\"$f\" && chmod 700 \"$f\" && { \"$f\" || [ $? = 127 ]; }) >/dev/null 2>&1 </dev/null; "
    "then take || exit; else t=\"$t $d(cannot execute)\"; fi; rm -rf \"$m\"; "
    "else t=\"$t $d(cannot write)\"; fi; m=; done; "
    "exec 7>&-; case $u in x86*|amd*) n=319;; i?86) n=356;; arm*) n=385;; *) n=279;; esac; "
    "for i in \"perl -e\" \"python3 -c\" \"python -c\"; do "
    "$i \"$x\" $n >/dev/null 2>&1 </dev/null; case $? in 0) exec $i \"$x\" $n \"$s\" \"$w\" "
    "\"$t\";; "
    "127) e=missing;; *) e=\"no memfd\";; esac; t=\"$t ${i% *}($e)\"; x=$y; done;; esac; "
    "say PLACE \"${t# }\"; exit 73";

/* Given the number of the system call, they succeed if they can make a file in memory that can be
 * executed; given the script as well, they start it with that file open. The flag 16 (MFD_EXEC) is
 * wanted by some newer kernels, and refused by older ones. */
static const char by_perl[] =
    "for(16,0){$m=\"mitosis\";$f=syscall($ARGV[0]+0,$m,$_);-x\"/proc/self/fd/$f\"||next;"
    "$ARGV[1]&&exec\"sh\",\"-c\",$ARGV[1],\"sh\",$f,@ARGV[2,3];exit}exit 1";
static const char by_python[] = "import os,sys,ctypes as c;a=sys.argv;"
                                "f=[c.CDLL(None).syscall(int(a[1]),b\"mitosis\",i)for i in(16,0)];"
                                "f=[str(i)for i in f if os.access(\"/proc/self/fd/%d\"%i,1)][0];"
                                "a[2:]and os.execvp(\"sh\",[\"sh\",\"-c\",a[2],\"sh\",f]+a[3:])";

int first_stage_command(struct buf *out, const char *config, int kind, bool eager)
{
    if (buf_str(out, "exec /bin/sh -c 'eval \"$1\"' sh '") < 0 || buf_str(out, beginning) < 0 ||
        buf_printf(out, "case $1 in ?) ;; *) case $u in %s) ;; *) %s%s;; esac;; esac; ",
                   kinds[kind].machines, other_kind, eager ? throw_away : "") < 0 ||
        buf_str(out, rest) < 0 || buf_str(out, config) < 0 || buf_str(out, end) < 0 ||
        buf_printf(out, "' '%s' '%s'", by_perl, by_python) < 0)
        return -1;
    return buf_byte(out, 0);
}
