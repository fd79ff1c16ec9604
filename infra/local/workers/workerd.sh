#!/bin/sh
# Starts workerd so that it does not outlive the process that started it. A Node process that is killed with SIGKILL
# cannot end its children: workerd would keep the ports and the bucket's files. Miniflare runs this script in
# workerd's place (MINIFLARE_WORKERD_PATH); the script writes down who is who, leaves a watcher, and becomes workerd.
#
# CAUSEWAY_WORKERD           the real binary
# CAUSEWAY_WORKERD_PID_FILE  gets "<pid of workerd> <pid of its owner>"; may be unset
owner=$PPID
workerd=$$
if [ -n "$CAUSEWAY_WORKERD_PID_FILE" ]; then
  echo "$workerd $owner" >"$CAUSEWAY_WORKERD_PID_FILE"
fi
(
  while kill -0 "$workerd" 2>/dev/null; do
    kill -0 "$owner" 2>/dev/null || kill -9 "$workerd"
    sleep 1
  done
) </dev/null >/dev/null 2>&1 3>&- &
exec "$CAUSEWAY_WORKERD" "$@"
