# Takes the C blocks out of Markdown. A comment before each says what it is:
#     <!-- c NAME program -->   a whole program
#     <!-- c NAME top -->       goes before main() of the program NAME
#     <!-- c NAME main -->      goes into its main(), where `router` and `copy` are there
# with "norun" behind it: compiled only, because it wants a host that is not there. Blocks of one
# NAME are put together in their order. A block ```output that follows belongs to the same NAME:
# what running it prints; "..." in it stands for anything, with "unordered" lines come in any order.
#
# Writes DIR/NAME.{program,top,main,norun,output,unordered}, and to stdout each NAME once. What is
# not marked is named on stderr; the exit status is then 1.

function put(line) {
    if (kind == "output")
        wanted = name ".output"
    else
        wanted = name "." kind
    if (!(wanted in cleared)) {
        printf "" >(dir "/" wanted)
        cleared[wanted] = 1
    }
    print line >(dir "/" wanted)
}

/^<!-- c [a-z_]+ (program|top|main)( norun)? -->$/ {
    marked = FNR
    name = $3
    kind = $4
    if ($5 == "norun")
        print "" >(dir "/" name ".norun")
    if (!(name in seen))
        print name
    seen[name] = 1
    next
}
/^```c$/ {
    if (marked != FNR - 1) {
        print FILENAME ":" FNR ": C block without a mark" >"/dev/stderr"
        bad = 1
    } else {
        inside = 1
        if (kind != "program")
            put("#line " FNR + 1 " \"" FILENAME "\"")
    }
    next
}
/^```output( unordered)?$/ {
    kind = "output"
    inside = 1
    if ($2 == "unordered")
        print "" >(dir "/" name ".unordered")
    next
}
/^```$/ { inside = 0; next }
inside { put($0) }
END { exit bad }
