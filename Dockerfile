# The relay as a container: `docker build -t blindflash-relay .`
# It speaks plain ws:// on 8787; TLS is the business of the proxy in front of it (then add --trust-proxy).
# It writes no file and needs no privilege:
#   docker run --read-only --cap-drop ALL --security-opt no-new-privileges -p 8787:8787 -v ./tenants.json:/etc/blindflash/tenants.json:ro \
#     blindflash-relay --listen 0.0.0.0:8787 --name relay.example.com --tenants /etc/blindflash/tenants.json
#
# A tag can come to name another image. Who deploys pins the one that was looked at:
#   docker build --build-arg BASE=node:24-slim@sha256:… -t blindflash-relay .
ARG BASE=node:24-slim

FROM ${BASE} AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build.mjs scripts/
COPY cli cli
COPY shared shared
COPY relay relay
COPY agent agent
COPY controller controller
COPY sim sim
RUN npm run build

FROM ${BASE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# What drives hardware or keeps the vendor's ledger is loaded only when another command is called: the relay never asks
# for it.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
 && rm -rf node_modules/usb node_modules/serialport node_modules/@serialport node_modules/@photostructure node_modules/node-addon-api node_modules/node-gyp-build node_modules/@types

FROM ${BASE}
ENV NODE_ENV=production
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /src/dist/cli dist/cli
COPY --from=build /src/dist/shared dist/shared
COPY --from=build /src/dist/relay dist/relay
COPY package.json LICENSE ./
COPY bin/blindflash.mjs bin/
USER node
EXPOSE 8787
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8787/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "bin/blindflash.mjs", "relay"]
