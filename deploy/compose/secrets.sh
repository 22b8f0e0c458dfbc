#!/bin/sh
# Makes the secrets of compose.yaml for a trial, with a certificate for localhost. What is there and whole already stays.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p secrets
chmod 0700 secrets # containers have other users, so the files are open: the folder keeps others out
cd secrets
random() { openssl rand -hex 32; }
# A name is given to what is whole: what was interrupted is made again.
keep() { chmod 0644 "$1.new" && mv "$1.new" "$1"; }
if [ ! -s as.pem ] || [ ! -s as.key ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -keyout as.key.new -out as.pem.new
  keep as.key
  keep as.pem
fi
if [ ! -s holdfast.key ]; then
  openssl rand -base64 32 >holdfast.key.new
  made=$(tr '+/' '-_' <holdfast.key.new | tr -d '=')
  printf %s "$made" >holdfast.key.new
  keep holdfast.key
fi
if [ ! -s postgres-password ]; then
  random >postgres-password.new
  keep postgres-password
fi
printf 'postgres://holdfast:%s@postgres/holdfast' "$(cat postgres-password)" >postgres-address.new
keep postgres-address
if [ ! -s valkey.conf ] || [ ! -s valkey-address ]; then
  password=$(random)
  printf 'requirepass %s\nmaxmemory 256mb\nmaxmemory-policy noeviction\nsave ""\nappendonly no\n' "$password" >valkey.conf.new
  printf 'redis://:%s@valkey:6379' "$password" >valkey-address.new
  keep valkey.conf
  keep valkey-address
fi
