# shellcheck shell=bash disable=SC2034,SC2154  # the scripts set and use these variables
# The command line of launch/tpu.sh and launch/gke.sh. They set script, flags and verbs, source this file, and call `parse "$@"`.

fail() {
    echo "$script: $1" >&2
    exit 2
}

need() { # needs a variable, and says what it should look like
    [ -n "${!1:-}" ] || fail "$1 is not set. It should be, for example, $1=$2"
}

check_bucket() {
    case ${WORKDIR:-gs://} in
        gs://*) ;;
        *) fail "WORKDIR=$WORKDIR: all hosts must reach it, so it lies in a bucket, gs://..." ;;
    esac
}

check_topology() {
    [[ $TOPOLOGY =~ ^[0-9]+x[0-9]+(x[0-9]+)?$ ]] || fail "TOPOLOGY=$TOPOLOGY: it should be like 4x4 or 2x2x4"
}

is_one_of() { # is_one_of WORD WORDS...
    local word
    for word in "${@:2}"; do [ "$word" != "$1" ] || return 0; done
    return 1
}

parse() { # sets verb, arguments, dry_run and legacy
    local list
    dry_run=0
    legacy=0
    verb=
    printf -v list '%s, ' "${verbs[@]}"
    list=${list%, }
    while [ $# -gt 0 ]; do
        case $1 in
            -h | --help)
                sed -n '2,/^set /p' "$script" | sed -n 's/^# \{0,1\}//p'
                exit 0
                ;;
            --)
                shift
                break
                ;;
        esac
        if is_one_of "$1" "${verbs[@]}"; then
            [ -z "$verb" ] || fail "$verb and $1: one at a time"
            verb=$1
        elif is_one_of "$1" "${flags[@]}"; then
            case $1 in
                --dry-run) dry_run=1 ;;
                --legacy) legacy=1 ;;
            esac
        else
            fail "$1: there are $(printf '%s, ' "${flags[@]}")$list, and --"
        fi
        shift
    done
    [ -n "$verb" ] || fail "what should be done? ${list%, *} or ${list##*, }; --help says more"
    [ "$verb" = start ] || [ $# -eq 0 ] || fail "$verb takes no arguments"
    arguments=("$@")
}
