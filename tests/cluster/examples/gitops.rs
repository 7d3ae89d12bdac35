//! soft-yt and the GitOps platform: encrypted manifests out of Git, as kustomize lays them out and
//! a Job applies them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::workload::Mount;
use super::{example, says};
use crate::support::cluster::Cluster;
use crate::support::kustomize::rendered;
use crate::support::process::eventually;
use crate::support::run::Run;
use crate::support::tools;

/// Applies what kustomize rendered and gives the Job's own kubeconfig, once the API server knows
/// its Roles.
fn installed(
    cluster: &Cluster,
    text: &str,
    namespace: &str,
    account: &str,
    secret: &str,
) -> PathBuf {
    cluster.apply_yaml(namespace, text);
    let token = cluster.token(namespace, account, "");
    let path = format!("/api/v1/namespaces/{namespace}/secrets/{secret}");
    eventually("the Roles are known", Duration::from_secs(30), || {
        cluster.request_as(&token, "GET", &path, None).0 == 404
    });
    cluster.service_account_kubeconfig(namespace, account)
}

fn value(cluster: &Cluster, namespace: &str, name: &str, key: &str) -> String {
    let value = cluster.secret_value(namespace, name, key);
    String::from_utf8(value.expect("it is there")).expect("text")
}

fn read(path: &Path) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(path).expect("a file")).expect("YAML")
}

const WEBAPP: &str = "softyt/deploy/kustomize/apps/webapp/overlays";

/// The name that the pods of the application have for the encrypted files: that of the ConfigMap,
/// which Argo CD compares, for it is no hook.
fn version_of_the_pods(documents: &[Value]) -> String {
    let of = |kind: &str| documents.iter().find(|document| document["kind"] == kind);
    let (map, deployment) = (of("ConfigMap"), of("Deployment"));
    let (map, deployment) = (map.expect("one"), deployment.expect("one"));
    let volume = &deployment["spec"]["template"]["spec"]["volumes"][0];
    assert_eq!(volume["configMap"]["name"], map["metadata"]["name"]);
    let annotations = &map["metadata"]["annotations"];
    assert_eq!(annotations["argocd.argoproj.io/hook"], Value::Null);
    map["metadata"]["name"].as_str().expect("a name").to_owned()
}

#[test]
fn softyt_gives_each_cluster_its_own_secrets_and_only_those() {
    let set = read(&example("softyt/applicationset.yaml"));
    let template = &set["spec"]["template"];
    assert_eq!(template["metadata"]["name"], "webapp-{{ .overlay }}");
    assert_eq!(
        template["spec"]["source"]["path"],
        "deploy/kustomize/apps/webapp/overlays/{{ .overlay }}"
    );
    let elements = set["spec"]["generators"][0]["list"]["elements"].as_array();
    let overlays: Vec<&str> = elements
        .into_iter()
        .flatten()
        .filter_map(|element| element["overlay"].as_str())
        .collect();
    let folders = fs::read_dir(example(WEBAPP)).expect("overlays");
    let folders: BTreeSet<String> = folders
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    assert_eq!(
        folders,
        overlays
            .iter()
            .map(|overlay| (*overlay).to_owned())
            .collect()
    );

    let cluster = Cluster::start_own();
    let (text, _) = rendered(&example(WEBAPP).join(overlays[0]));
    let kubeconfig = installed(&cluster, &text, "default", "webapp-secrets", "webapp-env");
    let mut before = "2 created";
    let mut versions = BTreeSet::new();
    for overlay in overlays {
        let (text, documents) = rendered(&example(WEBAPP).join(overlay));
        // As Argo CD does with a hook before it makes it again.
        let job = "/apis/batch/v1/namespaces/default/jobs/webapp-secrets";
        cluster.request(
            "DELETE",
            &format!("{job}?propagationPolicy=Background"),
            None,
        );
        cluster.apply_yaml("default", &text);
        versions.insert(version_of_the_pods(&documents));
        let mount = Mount::of(&documents);
        if before != "2 created" {
            let done = mount.job(&kubeconfig).expect(5);
            says(&done, "age1");
        }
        let key = fs::read_to_string(example("softyt/keys").join(format!("{overlay}.key")));
        cluster.apply_yaml("default", &json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "sops-age"}, "stringData": {"age.agekey": key.expect("a key")},
        }).to_string());
        says(&mount.job(&kubeconfig).expect(0), before);
        let url = value(&cluster, "default", "webapp-env", "DATABASE_URL");
        assert!(
            url.ends_with(&format!("@db.{overlay}.example.com:5432/webapp")),
            "{overlay}"
        );
        let pull = value(&cluster, "default", "webapp-registry", ".dockerconfigjson");
        assert!(pull.contains(&format!("{overlay}-pull")), "{overlay}");
        says(&mount.job(&kubeconfig).expect(0), "nothing changed");
        before = "2 updated";
    }
    assert!(
        versions.len() > 1,
        "other files start new pods: {versions:?}"
    );
    let registry = cluster.secret("default", "webapp-registry").expect("there");
    assert_eq!(registry["type"], "kubernetes.io/dockerconfigjson");
    assert_eq!(
        registry["metadata"]["labels"]["keyferry.io/manifests"],
        "webapp"
    );
}

#[test]
fn softyt_rotates_and_prunes_as_git_says() {
    let cluster = Cluster::start_own();
    let (text, documents) = rendered(&example(WEBAPP).join("onprem"));
    let kubeconfig = installed(&cluster, &text, "default", "webapp-secrets", "webapp-env");
    let key_file = example("softyt/keys/onprem.key");
    let key = fs::read_to_string(&key_file).expect("a key");
    cluster.create(
        "/api/v1/namespaces/default/secrets",
        &json!({"metadata": {"name": "sops-age"}, "stringData": {"age.agekey": key}}),
    );
    let mount = Mount::of(&documents);
    says(&mount.job(&kubeconfig).expect(0), "2 created");

    // As the README says it.
    Run::of(tools::sops())
        .env("HOME", mount.path())
        .env("SOPS_AGE_KEY_FILE", &key_file)
        .args(["set"])
        .args([mount.file("env.enc.yaml")])
        .args([r#"["stringData"]["SESSION_KEY"]"#, r#""rotated by a test""#])
        .run()
        .expect(0);
    let done = mount.job(&kubeconfig).expect(0);
    says(&done, "1 updated, 1 unchanged");
    done.assert_no_canary(&["rotated by a test"]);
    let rotated = value(&cluster, "default", "webapp-env", "SESSION_KEY");
    assert_eq!(rotated, "rotated by a test");

    mount.remove("registry.enc.yaml");
    says(&mount.job(&kubeconfig).expect(0), "1 deleted, 1 unchanged");
    assert_eq!(cluster.secret("default", "webapp-registry"), None);
    assert!(
        cluster.secret("default", "sops-age").is_some(),
        "what is not ours stays"
    );
}

#[test]
fn the_gitops_platform_opens_its_sealed_secrets_in_wave_3() {
    for stage in ["dev", "prd"] {
        let application = read(&example(&format!(
            "gitops-platform/clusters/{stage}/secrets.yaml"
        )));
        let wave = &application["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"];
        assert_eq!(wave, "3");
        let path = application["spec"]["source"]["path"]
            .as_str()
            .expect("a path");
        assert_eq!(path, format!("secrets/overlays/{stage}"));

        let cluster = Cluster::start_own();
        cluster.named_namespace("platform", &json!({}));
        cluster.named_namespace("chat", &json!({}));
        let (text, documents) = rendered(&example("gitops-platform").join(path));
        let kubeconfig = installed(&cluster, &text, "platform", "secrets", "dns-provider");
        let mount = Mount::of(&documents);
        says(
            &mount.job(&kubeconfig).expect(4),
            "sealed-secrets controller",
        );

        let [key, certificate] = ["key", "crt"].map(|ending| {
            fs::read_to_string(example(&format!("gitops-platform/keys/{stage}.{ending}")))
                .expect("a key")
        });
        cluster.create("/api/v1/namespaces/kube-system/secrets", &json!({
            "metadata": {"name": "sealed-secrets-key", "labels": {"sealedsecrets.bitnami.com/sealed-secrets-key": "active"}},
            "type": "kubernetes.io/tls", "stringData": {"tls.key": key, "tls.crt": certificate},
        }));
        says(&mount.job(&kubeconfig).expect(0), "2 created");
        assert_eq!(
            value(&cluster, "chat", "chat-api", "JWT_SECRET"),
            format!("{stage}-jwt-secret")
        );
        let source = cluster.secret("platform", "dns-provider").expect("there");
        let mut annotations = source["metadata"]["annotations"].clone();
        let sources = annotations["keyferry.io/sources"].take();
        let version = r#"[{"source":"sealed file dns-provider.sealed.yaml","version":"sha256:"#;
        assert!(
            sources
                .as_str()
                .is_some_and(|text| text.starts_with(version)),
            "{sources}"
        );
        assert_eq!(
            annotations,
            json!({
                "keyferry.io/delivery": "manifests platform: dns-provider.sealed.yaml",
                "keyferry.io/sources": null,
                "reflector.v1.k8s.emberstack.com/reflection-allowed": "true",
                "reflector.v1.k8s.emberstack.com/reflection-allowed-namespaces": "cert-manager",
                "reflector.v1.k8s.emberstack.com/reflection-auto-enabled": "true",
                "reflector.v1.k8s.emberstack.com/reflection-auto-namespaces": "cert-manager",
            })
        );
        says(&mount.job(&kubeconfig).expect(0), "nothing changed");
        let user = "system:serviceaccount:platform:secrets";
        let mut asked: BTreeSet<String> = BTreeSet::new();
        for namespace in ["platform", "chat", "kube-system"] {
            asked.extend(cluster.audited_by(namespace, user).into_iter().map(|line| {
                let verb = line.split(' ').next().unwrap_or_default();
                format!("{namespace} {verb}")
            }));
        }
        let needed = [
            "chat get",
            "chat patch",
            "kube-system list",
            "platform get",
            "platform patch",
        ];
        assert_eq!(asked, needed.map(str::to_owned).into());
    }
}
