# need_apt WHY PACKAGE…: as root, or where sudo asks no password, apt installs what is missing; elsewhere one line says what to
# type. To be sourced by a script that has say().
need_apt() {
    local why=$1; shift
    local sudo=""
    if [ "$(id -u)" != 0 ]; then
        if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo="sudo -n"; else
            say "$why: please run 'sudo apt-get install $*' and then make again"; return 1
        fi
    fi
    command -v apt-get >/dev/null || { say "$why: install the equivalent of '$*' and then make again"; return 1; }
    say "$why: installing $*"
    $sudo apt-get update -qq && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
