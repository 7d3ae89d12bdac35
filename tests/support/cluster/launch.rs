//! The command lines and credentials of the control plane. Every server runs in the cluster's
//! folder, so paths are names.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::KeyPair;

use super::{ADMIN, LIMIT};
use crate::support::process::{Scratch, Server, ready};
use crate::support::tls::Authority;

const CONTROLLERS: &str = "controllers-token-of-this-test-cluster";

/// Everyone's requests but those of the control plane itself, so that a test reads its own.
const AUDIT_POLICY: &str = "apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, userGroups: ['system:serviceaccounts:kube-system', 'system:nodes']}
- {level: None, users: ['system:apiserver', 'controller-manager']}
- {level: None, nonResourceURLs: ['/readyz*', '/livez*', '/healthz*']}
- {level: Metadata}
";

/// Ready when its own log says so, not when its port answers: only that shows that the port is
/// really ours.
pub(super) fn etcd(
    binary: &Path,
    scratch: &Scratch,
    client: u16,
    peer: u16,
) -> Result<Server, String> {
    let flags = format!(
        "--name=one --data-dir=etcd --unsafe-no-fsync --log-level=info
        --listen-client-urls=http://127.0.0.1:{client} --advertise-client-urls=http://127.0.0.1:{client}
        --listen-peer-urls=http://127.0.0.1:{peer} --initial-advertise-peer-urls=http://127.0.0.1:{peer}
        --initial-cluster=one=http://127.0.0.1:{peer}"
    );
    let server = start("etcd", binary, &flags, scratch);
    ready(&server, LIMIT, || {
        server.log().contains("serving client traffic")
    })?;
    Ok(server)
}

/// Told which address to advertise (one of documentation): else it looks for a default route, which
/// a sandbox need not have.
pub(super) fn api(binary: &Path, scratch: &Scratch, etcd: u16, port: u16) -> Server {
    let flags = format!(
        "--etcd-servers=http://127.0.0.1:{etcd} --bind-address=127.0.0.1 --secure-port={port}
        --advertise-address=192.0.2.1 --service-cluster-ip-range=10.96.0.0/24
        --cert-dir=certs --tls-cert-file=api.crt --tls-private-key-file=api.key
        --service-account-key-file=sa.pub --service-account-signing-key-file=sa.key
        --service-account-issuer=https://kubernetes.default.svc
        --token-auth-file=tokens.csv --authorization-mode=RBAC,Node
        --audit-policy-file=audit.yaml --audit-log-path=audit.log"
    );
    start("kube-apiserver", binary, &flags, scratch)
}

/// Makes default service accounts and ends namespaces; serves nothing.
pub(super) fn controllers(binary: &Path, scratch: &Scratch) -> Server {
    let flags = "--kubeconfig=controllers.kubeconfig --root-ca-file=ca.crt
        --service-account-private-key-file=sa.key --use-service-account-credentials=true
        --leader-elect=false --bind-address=127.0.0.1 --secure-port=0";
    start("kube-controller-manager", binary, flags, scratch)
}

fn start(name: &'static str, binary: &Path, flags: &str, scratch: &Scratch) -> Server {
    let mut command = Command::new(binary);
    command
        .args(flags.split_whitespace())
        .current_dir(scratch.path());
    Server::start(name, command, scratch.path())
}

/// Certificates, keys, tokens and kubeconfigs, all of this cluster alone.
pub(super) fn write_credentials(scratch: &Scratch, authority: &Authority, port: u16) {
    let names = [
        "127.0.0.1",
        "localhost",
        "kubernetes",
        "kubernetes.default.svc",
        "10.96.0.1",
    ];
    let identity = authority.issue(&names);
    let accounts = KeyPair::generate().expect("a key can be made");
    let tokens = format!(
        "{ADMIN},admin,1,\"system:masters\"\n{CONTROLLERS},controller-manager,2,\"system:masters\"\n"
    );
    let ca = authority.pem();
    for (name, body) in [
        ("ca.crt", ca.to_owned()),
        ("api.crt", identity.certificate),
        ("api.key", identity.key),
        ("sa.key", accounts.serialize_pem()),
        ("sa.pub", accounts.public_key_pem()),
        ("tokens.csv", tokens),
        ("audit.yaml", AUDIT_POLICY.to_owned()),
        ("kubeconfig", kubeconfig(port, ca, ADMIN, "default")),
        (
            "controllers.kubeconfig",
            kubeconfig(port, ca, CONTROLLERS, "default"),
        ),
    ] {
        scratch.write(name, body);
    }
}

/// A kubeconfig for a bearer token.
pub(super) fn kubeconfig(port: u16, ca: &str, token: &str, namespace: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
         clusters: [{{name: test, cluster: {{server: 'https://127.0.0.1:{port}', certificate-authority-data: {}}}}}]\n\
         users: [{{name: test, user: {{token: {token}}}}}]\n\
         contexts: [{{name: test, context: {{cluster: test, user: test, namespace: {namespace}}}}}]\n",
        STANDARD.encode(ca)
    )
}
