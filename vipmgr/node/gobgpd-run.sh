#!/bin/sh
# Runs gobgpd for as long as its container lives; starts it again at once when it dies. The agent tells it everything
# over the socket: no configuration file, and so no -r either, whose only effect is on one.
#
#   VIPMGR_RUN     /run/vipmgr    gobgpd.sock; gobgpd.restart is there while routers keep our routes over a restart
#
# SIGTERM: with gobgpd.restart it is killed without a word to the routers, who keep the routes until it is back (RFC
# 4724). Without, it says farewell, and the routes are gone at once.
set -u
run=${VIPMGR_RUN:-/run/vipmgr}
gobgpd=''
ending=''

say() { printf '{"event":"%s","detail":"%s"}\n' "$1" "$2"; }

end() {
    ending=yes
    signal=TERM
    [ ! -e "$run/gobgpd.restart" ] || signal=KILL
    [ -z "$gobgpd" ] || kill -"$signal" "$gobgpd" 2>/dev/null
}
trap end TERM INT

mkdir -p "$run"
quick=0
while [ -z "$ending" ]; do
    rm -f "$run/gobgpd.sock"
    began=$(date +%s)
    gobgpd --api-hosts "unix://$run/gobgpd.sock" --pprof-disable -l warn &
    gobgpd=$!
    wait "$gobgpd"
    status=$?
    while kill -0 "$gobgpd" 2>/dev/null; do # a signal to us ends `wait` early
        wait "$gobgpd"
        status=$?
    done
    gobgpd=''
    [ -z "$ending" ] || break
    say gobgpd.ended "status $status"
    # At once the first time; one that ends right after its start has 0.2, 0.5 ... 2 s to wait.
    if [ $(($(date +%s) - began)) -ge 5 ]; then quick=0; fi
    case $quick in
    0) pause=0 ;;
    1) pause=0.2 ;;
    2) pause=0.5 ;;
    *) pause=2 ;;
    esac
    quick=$((quick + 1))
    sleep "$pause" &
    wait $!
done
exit 0
