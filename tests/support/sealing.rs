//! Sealing keys and kubeseal, without a controller.

use std::path::PathBuf;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeySize, PrivateDecryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::process::Scratch;
use crate::support::run::{Output, Run};
use crate::support::tools;

/// A sealing key as a user has it: PEM as the controller writes it, and the certificate for
/// kubeseal.
pub(crate) struct Key {
    /// The private key, PKCS#1 in PEM.
    pub(crate) pem: String,
    /// The same in a file.
    pub(crate) pem_file: PathBuf,
    /// The certificate that seals for it, in a file.
    pub(crate) certificate: PathBuf,
    certificate_pem: String,
    _folder: Scratch,
}

impl Key {
    /// A new one; `name` is that of its files.
    pub(crate) fn new(name: &str, size: KeySize) -> Self {
        let key = PrivateDecryptingKey::generate(size).expect("a key can be made");
        let der: Pkcs8V1Der<'_> = key.as_der().expect("a key can be written");
        // What stands before the PKCS#1 key has the same length for all these sizes.
        let pem = pem("RSA PRIVATE KEY", &der.as_ref()[26..]);
        let pair =
            rcgen::KeyPair::from_pem(&self::pem("PRIVATE KEY", der.as_ref())).expect("an RSA key");
        let params = rcgen::CertificateParams::new(Vec::new()).expect("no names are no bad names");
        let certificate_pem = params.self_signed(&pair).expect("it signs itself").pem();
        let folder = Scratch::new("sealing-key");
        Self {
            pem_file: folder.write(&format!("{name}.pem"), &pem),
            certificate: folder.write(&format!("{name}.crt"), &certificate_pem),
            pem,
            certificate_pem,
            _folder: folder,
        }
    }

    /// The Secret in which the controller keeps it; `state` is the value of its label.
    pub(crate) fn secret(&self, name: &str, state: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": {"name": name, "namespace": "kube-system", "labels": {"sealedsecrets.bitnami.com/sealed-secrets-key": state}},
            "data": {"tls.key": STANDARD.encode(&self.pem), "tls.crt": STANDARD.encode(&self.certificate_pem)},
        })
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).expect("ASCII"))
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

/// Runs kubeseal without a cluster.
pub(crate) fn kubeseal(args: &[&str], stdin: impl Into<Vec<u8>>) -> Output {
    // It looks for a kubeconfig even when it needs none.
    Run::of(tools::kubeseal())
        .args(args)
        .env("HOME", "/nonexistent")
        .stdin(stdin)
        .run()
}
