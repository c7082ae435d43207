// A personal data server and the directory of identities that it needs, both on 127.0.0.1, until the program is ended.
const net = require("node:net");

// The packages listen on every address; here nobody else may.
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (first, ...rest) {
  const port = typeof first === "object" ? first?.port : Number(first);
  if (port === undefined || Number.isNaN(port)) return listen.call(this, first, ...rest);
  return listen.call(this, { port, host: "127.0.0.1" }, rest.find((each) => typeof each === "function"));
};

const plc = require("@did-plc/server");
const pds = require("@atproto/pds");

async function main() {
  const directory = plc.PlcServer.create({ db: plc.Database.mock(), port: Number(process.env.PLC_PORT) });
  await directory.start();
  const environment = pds.readEnv();
  const server = await pds.PDS.create(pds.envToCfg(environment), pds.envToSecrets(environment));
  await server.start();
  console.log("READY");
  const stop = async () => {
    await server.destroy();
    await directory.destroy();
    process.exit(0);
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
