#!/bin/sh
# Makes the keys of the cluster in docker-compose.yml and says who may talk to whom. Keys that are there stay. All of them
# lie in one volume here; on real machines each keeps its own .key, and only the .pub travel.
set -eu
cd /keys

for who in node-1 node-2 auditor-1 auditor-2; do
  [ -f "$who.key" ] || theater keys new "$who" >/dev/null
done

: >nodes.new
for who in node-1 node-2; do
  echo "node $(cat "$who.pub") $who" >>nodes.new
done
mv nodes.new nodes
echo "keys are in place:"
ls
