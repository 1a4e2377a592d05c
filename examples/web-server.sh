#!/bin/sh
# A web server whose page is its first argument, else the name of its host. It is nginx when there is one, else the small
# server of evenkeel's lab.
name=${1:-$(hostname)}
if nginx=$("$EVENKEEL_PROJECT/scripts/peer" nginx 2>/dev/null); then
  mkdir -p /run/web
  # One process without a master: in a lab of an ordinary user there is nobody to become.
  cat >/run/web/nginx.conf <<END
user root;
daemon off;
master_process off;
pid /run/web/nginx.pid;
error_log stderr;
events {}
http {
  client_body_temp_path /run/web/body;
  proxy_temp_path /run/web/proxy;
  fastcgi_temp_path /run/web/fastcgi;
  uwsgi_temp_path /run/web/uwsgi;
  scgi_temp_path /run/web/scgi;
  access_log /dev/stdout combined;
  default_type text/plain;
  server {
    listen 80;
    location / {
      add_header X-Served-By "$name";
      return 200 "$name\n";
    }
  }
}
END
  exec "$nginx" -p /run/web -c /run/web/nginx.conf -e stderr
fi
exec node "$EVENKEEL_PROJECT/src/lab/web-server.ts" --name "$name"
