#!/bin/sh
# Makes the passwords of the NATS users: one file for nats-server, one for each service, readable by you alone.
#
#   deploy/nats/make_passwords.sh [FOLDER] [NATS_HOST:PORT]
#
# FOLDER is deploy/secrets when not given, and must not hold passwords yet: delete it to make new ones, then restart
# nats-server and the services together.
set -eu
umask 077

folder="${1:-$(dirname "$0")/../secrets}"
address="${2:-nats:4222}"

if [ -e "$folder/nats.env" ]; then
  echo "$folder already holds passwords; delete it to make new ones" >&2
  exit 1
fi
mkdir -p "$folder"

for user in gateway scheduler notifier subscriber; do
  # A letter in front: nats-server would take some runs of digits and letters for a number.
  password="p$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')"
  variable="NATS_$(echo "$user" | tr '[:lower:]' '[:upper:]')_PASSWORD"
  echo "$variable=$password" >> "$folder/nats.env"
  echo "HEADWAY_NATS_URL=nats://$user:$password@$address" > "$folder/$user.env"
done
echo "wrote $folder/nats.env and one file for each user"
