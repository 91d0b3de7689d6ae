#!/bin/sh
# Run by the image once, on an empty data folder: one file a role, <schema>_owner and <schema>, holds its password.
set -eu
options=""
for file in /etc/imet/roles/*; do options="$options -c imet.$(basename "$file")_password=$(cat "$file")"; done
PGOPTIONS="$options" psql -v ON_ERROR_STOP=1 -d "$POSTGRES_DB" -f /etc/imet/provision/provision.sql
