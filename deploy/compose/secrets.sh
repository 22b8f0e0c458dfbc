#!/bin/sh
# Makes the secrets of compose.yaml for a trial, with a certificate for localhost. What is there already stays.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p secrets
cd secrets
random() { openssl rand -base64 32 | tr '+/' '-_' | tr -d '=\n'; }
if [ ! -e as.key ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -keyout as.key -out as.pem 2>/dev/null
fi
if [ ! -e holdfast.key ]; then random >holdfast.key; fi
if [ ! -e postgres-password ]; then
  random >postgres-password
  printf 'postgres://holdfast:%s@postgres/holdfast' "$(cat postgres-password)" >postgres-address
fi
if [ ! -e valkey.conf ]; then
  password=$(random)
  printf 'requirepass %s\nmaxmemory 256mb\nmaxmemory-policy noeviction\nsave ""\nappendonly no\n' "$password" >valkey.conf
  printf 'redis://:%s@valkey:6379' "$password" >valkey-address
fi
# Containers have other users: the folder keeps others out.
chmod 0644 ./*
