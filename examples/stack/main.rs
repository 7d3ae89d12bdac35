//! Real servers to try the examples on: `cargo run --example stack`. OpenBao and a Kubernetes API
//! server on loopback, filled for archpad.
//!
//! They stay until Ctrl-C and end with this program. What to set in another terminal lies in
//! `target/stack/archpad.env`.

#![allow(
    clippy::print_stdout,
    reason = "an example talks to the one who started it"
)]

#[path = "../../tests/support/mod.rs"]
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use support::archpad::archpad;
use support::cluster::Cluster;
use support::process::Scratch;
use support::tools;

const ACCOUNT: &str = "registry-secret-sync";

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    println!("starting OpenBao and Kubernetes (the first time they are built: ten minutes) …");
    // The helpers of the tests wait in their own way; nothing else runs here.
    let cluster = Cluster::start_own();
    cluster.named_namespace("platform", &json!({}));
    let bao = archpad(&cluster);
    let folder = Scratch::new("archpad");
    cluster.service_account("platform", ACCOUNT);
    cluster.grant(
        "platform",
        ACCOUNT,
        &json!([{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["archpad-registry-secret"], "verbs": ["get", "create", "patch"]}]),
    );
    let jwt = folder.write("token", cluster.token("platform", ACCOUNT, "vault"));
    fs::set_permissions(&jwt, fs::Permissions::from_mode(0o600))?;
    fs::create_dir(folder.path().join("secrets"))?;
    let file = tools::cache().join("archpad.env");
    let lines = [
        ("VAULT_ADDR", bao.addr()),
        ("VAULT_JWT_FILE", jwt.display().to_string()),
        (
            "KUBECONFIG",
            cluster
                .service_account_kubeconfig("platform", ACCOUNT)
                .display()
                .to_string(),
        ),
        (
            "SECRETS_DIR",
            folder.path().join("secrets").display().to_string(),
        ),
        ("KUBECTL", tools::kubectl().display().to_string()),
    ];
    let text: String = lines
        .iter()
        .map(|(name, value)| format!("export {name}='{value}'\n"))
        .collect();
    fs::write(&file, text)?;
    println!(
        "ready, until Ctrl-C. In another terminal:\n\n    . {}\n    cargo run -- job --config \
         examples/archpad/infra/timeweb/10-gitops/apps/backend/registry-secret-sync/keyferry.yaml\n",
        file.display()
    );
    tokio::signal::ctrl_c().await?;
    fs::remove_file(&file)
}
