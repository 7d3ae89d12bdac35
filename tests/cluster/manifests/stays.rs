//! A sidecar that keeps manifests: files that change, come and go while it runs.

use std::time::Duration;

use super::{CANARY, PRUNE, Site};
use crate::support::cluster::Cluster;
use crate::support::process::eventually;
use crate::support::sidecar::{RunningSidecar, SOON};

const SET: &str = "  - {name: web, sops: 'secrets/*.enc.yaml', prune: true}\n";
const OTHER: &str = "canary-6f746865";

#[test]
fn secrets_follow_their_manifests_on_disk() {
    let site = Site::new(PRUNE, SET);
    let manifest = |name: &str, value: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData: \
             {{password: {value}}}\n"
        )
    };
    site.put("app.enc.yaml", &manifest("app", CANARY));
    site.put("second.enc.yaml", &manifest("second", CANARY));
    let value = |name: &str| {
        let value = Cluster::shared().secret_value(&site.namespace, name, "password");
        value.map(|value| String::from_utf8_lossy(&value).into_owned())
    };
    let config = std::fs::read_to_string(site.folder.path().join("keyferry.yaml")).expect("text");
    let sidecar = RunningSidecar::start_with(site.folder.path(), &config, |run| {
        run.env("KUBECONFIG", &site.kubeconfig)
    });
    sidecar.ready();
    assert_eq!(value("app").as_deref(), Some(CANARY));
    assert!(
        sidecar
            .reasons()
            .contains("manifests web: app.enc.yaml: ok"),
        "{}",
        sidecar.reasons()
    );

    site.put("app.enc.yaml", &manifest("app", OTHER));
    eventually("the change", SOON, || {
        value("app").as_deref() == Some(OTHER)
    });
    site.put("third.enc.yaml", &manifest("third", CANARY));
    eventually("a new file", SOON, || value("third").is_some());
    site.remove("second");
    eventually("a file that went", SOON, || value("second").is_none());
    assert_eq!(site.names(), ["app", "third"]);

    // What cannot be opened keeps what it described, whatever is pruned.
    let good = std::fs::read(site.file("third.enc.yaml")).expect("bytes");
    let bad =
        String::from_utf8_lossy(&good).replace("ENC[AES256_GCM,data:", "ENC[AES256_GCM,data:AAAA");
    std::fs::write(site.file("third.enc.yaml"), bad).expect("written");
    eventually("it is told", SOON, || sidecar.reasons().contains("corrupt"));
    assert_eq!(site.names(), ["app", "third"]);
    std::fs::write(site.file("third.enc.yaml"), good).expect("written");
    eventually("all is well", SOON, || {
        !sidecar.reasons().contains("corrupt")
    });
    sidecar.ready();
    let writes = site.writes();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(site.writes(), writes, "at rest nothing is written");
    sidecar.end().expect(0).assert_no_canary(&[CANARY, OTHER]);
}
