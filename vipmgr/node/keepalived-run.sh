#!/bin/sh
# Runs keepalived for as long as its container lives. Waits for what the agent makes (notify FIFO, configuration),
# starts keepalived again at once when it dies, and passes a termination on so that it hands its VIPs over.
#
#   VIPMGR_STATE  /var/lib/vipmgr   keepalived.conf is there
#   VIPMGR_RUN    /run/vipmgr       FIFO, log, pid files, state dumps
#   VIPMGR_RUNNER                   words to put before keepalived, such as "chrt -r 50"
#
# No -D: it would log a line for every gratuitous ARP. The log is a plain file that keepalived appends to, so that no
# reader can ever block it; what the container prints is a copy.
set -u
state=${VIPMGR_STATE:-/var/lib/vipmgr}
run=${VIPMGR_RUN:-/run/vipmgr}
export TMPDIR="$run"
keepalived=''
copy=''
ending=''

say() { printf '{"event":"%s","detail":"%s"}\n' "$1" "$2"; }

end() {
    ending=yes
    [ -z "$keepalived" ] || kill -TERM "$keepalived" 2>/dev/null
}
trap end TERM INT

mkdir -p "$run"
: >>"$run/keepalived.log"
tail -n 0 -F "$run/keepalived.log" 2>/dev/null &
copy=$!

said=''
while [ -z "$ending" ] && ! { [ -p "$run/notify.fifo" ] && [ -s "$state/keepalived.conf" ]; }; do
    [ -n "$said" ] || say keepalived.waiting "for $run/notify.fifo and $state/keepalived.conf"
    said=yes
    sleep 0.2
done

quick=0
while [ -z "$ending" ]; do
    # A pid file left behind makes keepalived believe that it runs already, and end with status 0.
    rm -f "$run/keepalived.pid" "$run/vrrp.pid"
    began=$(date +%s)
    # shellcheck disable=SC2086
    ${VIPMGR_RUNNER:-} keepalived -n -P -l -G -f "$state/keepalived.conf" \
        -p "$run/keepalived.pid" -r "$run/vrrp.pid" >>"$run/keepalived.log" 2>&1 &
    keepalived=$!
    [ -z "$ending" ] || kill -TERM "$keepalived"
    wait "$keepalived"
    status=$?
    # A signal to us ends `wait` early: keepalived is still handing over.
    while kill -0 "$keepalived" 2>/dev/null; do
        wait "$keepalived"
        status=$?
    done
    keepalived=''
    [ -z "$ending" ] || break
    say keepalived.ended "status $status"
    # At once the first time; one that ends right after its start has 0.1, 0.2 ... 2 s to wait.
    if [ $(($(date +%s) - began)) -ge 5 ]; then quick=0; fi
    case $quick in
    0) pause=0 ;;
    1) pause=0.1 ;;
    2) pause=0.2 ;;
    3) pause=0.5 ;;
    4) pause=1 ;;
    *) pause=2 ;;
    esac
    quick=$((quick + 1))
    sleep "$pause" &
    wait $!
done
kill "$copy" 2>/dev/null
wait
exit 0
