//! archpad's image is in a registry that asks for the password which keyferry delivers.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::kit::Kit;
use super::service::said;
use crate::support::kustomize::rendered;
use crate::support::node::Node;
use crate::support::process::{Scratch, Server, first_that_starts, free_ports, ready};

const BACKEND: &str = "examples/archpad/infra/timeweb/10-gitops/apps/backend";
const HOST: &str = "registry.timeweb.cloud";
const PASSWORD: &str = "p@ss/w:rd";

#[test]
fn the_kubelet_pulls_with_the_delivered_secret_and_not_without_it() {
    let node = Node::shared();
    let scratch = Scratch::new("registry");
    let _registry = registry(node, &scratch);
    let service = Kit::apply(&format!("{BACKEND}/tenant-service"), "pull", |text| {
        text.replace("role: pull", "role: pull-tenant")
    });
    let refused = service.await_that("the pull fails", || {
        let pods = service.ask(&["get", "pods", "-o", "json"])?;
        let pods: Value = serde_json::from_str(&pods).unwrap();
        let waiting = &pods["items"][0]["status"]["containerStatuses"][0]["state"]["waiting"];
        let reason = waiting["reason"].as_str()?;
        let failed = ["ErrImagePull", "ImagePullBackOff"].contains(&reason);
        failed.then(|| waiting["message"].to_string())
    });
    assert!(refused.contains("authorization failed"), "{refused}");

    let login = json!({"server": HOST, "username": "robot", "password": PASSWORD});
    node.bao.put("pull-register", &login);
    let folders = ["registry-secret-sync-access", "registry-secret-sync"].map(|name| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        rendered(&root.join(BACKEND).join(name)).0
    });
    let sync = Kit::apply_text(&folders.join("---\n"), "pull", |text| {
        text.replace("container-register", "pull-register")
    });
    sync.await_condition("job/registry-secret-sync", "Complete");
    let deployment = "deployment/tenant-service";
    service.await_condition(deployment, "Available");
    let names = service.await_that("it tells its names", || {
        said(&service, deployment, "tenant-service", "names:")
    });
    for name in ["DATABASE_URL", "PG_password", "SERVICE"] {
        assert!(names.contains(name), "{name}: {names}");
    }
}

/// The registry, with the image of a service in it; containerd asks it in place of the real one.
fn registry(node: &Node, scratch: &Scratch) -> Server {
    let credentials = scratch.write("credentials", format!("robot:{PASSWORD}"));
    let image = node.file("tenant-service.tar");
    let started = first_that_starts("registry", || {
        let [port] = free_ports();
        let address = format!("127.0.0.1:{port}");
        let mut command = Command::new("registry");
        command.arg(&address).arg(&credentials);
        command.arg("archpad/tenant-service:1.0.0").arg(&image);
        let server = Server::start("registry", command, scratch.path());
        ready(&server, Duration::from_secs(20), || {
            std::net::TcpStream::connect(&address).is_ok()
        })?;
        Ok((server, address))
    });
    let (server, address) = started.unwrap_or_else(|why| panic!("{why}"));
    let folder = node.file("run/registries").join(HOST);
    fs::create_dir_all(&folder).unwrap();
    let hosts = format!("server = \"http://{address}\"\n");
    fs::write(folder.join("hosts.toml"), hosts).unwrap();
    server
}
