//! archpad and Axion as their owners run them: real Vault, real API server, their names and paths.

mod gitops;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::archpad::{PASSWORD, archpad};
use crate::support::cluster::Cluster;
use crate::support::openbao::OpenBao;
use crate::support::run::{keyferry, variable};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(name)
}

#[test]
fn archpad_registry_secret_and_the_environment_of_three_services() {
    let cluster = Cluster::shared();
    cluster.named_namespace("platform", &json!({}));
    let bao = archpad(cluster);
    let dir = tempfile::tempdir().expect("a temporary folder");
    let account = |name: &str| {
        cluster.service_account("platform", name);
        let file = dir.path().join(format!("{name}.jwt"));
        fs::write(&file, cluster.token("platform", name, "vault")).expect("written");
        file
    };

    let jwt = account("registry-secret-sync");
    cluster.grant(
        "platform",
        "registry-secret-sync",
        &json!([{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["archpad-registry-secret"], "verbs": ["get", "create", "patch"]}]),
    );
    let kubeconfig = cluster.service_account_kubeconfig("platform", "registry-secret-sync");
    let sync = || {
        keyferry()
            .env("VAULT_ADDR", bao.addr())
            .env("VAULT_JWT_FILE", &jwt)
            .env("KUBECONFIG", &kubeconfig)
            .args(["job", "--config"])
            .args([example("archpad/registry-secret-sync/keyferry.yaml")])
            .run()
            .expect(0)
    };
    let first = sync();
    assert!(first.stderr.contains("1 created"), "{}", first.stderr);
    let secret = cluster
        .secret("platform", "archpad-registry-secret")
        .expect("created");
    assert_eq!(secret["type"], "kubernetes.io/dockerconfigjson");
    let value = cluster
        .secret_value("platform", "archpad-registry-secret", ".dockerconfigjson")
        .expect("there");
    let docker: Value = serde_json::from_slice(&value).expect("JSON");
    assert_eq!(docker["auths"]["cr.example.com"]["password"], PASSWORD);
    let second = sync();
    assert!(
        second.stderr.contains("nothing changed"),
        "{}",
        second.stderr
    );
    let again = cluster
        .secret("platform", "archpad-registry-secret")
        .expect("there");
    assert_eq!(
        secret["metadata"]["resourceVersion"],
        again["metadata"]["resourceVersion"]
    );
    first.assert_no_canary(&[PASSWORD]);

    for (service, hasura) in [
        ("arch-repo-service", ""),
        ("tenant-service", ""),
        ("hasura-sync-service", "hasura-canary"),
    ] {
        let jwt = account(service);
        let secrets = dir.path().join(service);
        fs::create_dir(&secrets).expect("made");
        let output = keyferry()
            .env("VAULT_ADDR", bao.addr())
            .env("VAULT_JWT_FILE", &jwt)
            .env("SECRETS_DIR", &secrets)
            .args(["init", "--config"])
            .args([example(&format!("archpad/{service}/keyferry.yaml"))])
            .run()
            .expect(0);
        let file = secrets.join("app.env");
        assert_eq!(
            variable(&file, "DATABASE_URL"),
            "postgresql://arch:p%40ss%2Fw%3Ard%231%20%25@pg:5432/archpad"
        );
        assert_eq!(variable(&file, "PG_password"), PASSWORD);
        assert_eq!(
            (variable(&file, "SERVICE"), variable(&file, "PORT")),
            (service.to_owned(), "3001".to_owned()),
            "its own settings win"
        );
        assert_eq!(variable(&file, "HASURA_ADMIN_SECRET"), hasura);
        output.assert_no_canary(&[PASSWORD, "hasura-canary"]);
    }
}

#[test]
fn axion_without_any_cluster_goes_forward_and_back() {
    let bao = OpenBao::start();
    bao.policy(
        "axion",
        "path \"kv/data/axion/deployment-service\" { capabilities = [\"read\"] }",
    );
    bao.post("sys/auth/approle", &json!({"type": "approle"}));
    bao.post(
        "auth/approle/role/axion",
        &json!({"token_policies": "axion", "token_ttl": "5m"}),
    );
    let dir = tempfile::tempdir().expect("a temporary folder");
    let role = bao.get("auth/approle/role/axion/role-id");
    let secret = bao.post("auth/approle/role/axion/secret-id", &json!({}));
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    fs::write(dir.path().join("role-id"), text(&role["data"]["role_id"])).expect("written");
    fs::write(
        dir.path().join("secret-id"),
        text(&secret["data"]["secret_id"]),
    )
    .expect("written");
    bao.put(
        "axion/deployment-service",
        &json!({"db_user": "axion", "db_password": PASSWORD, "redis_password": "r:1/@"}),
    );
    bao.put(
        "axion/deployment-service",
        &json!({"db_user": "axion", "db_password": "second", "redis_password": "r:2/@"}),
    );

    let run = |file: &str, args: &[&str]| {
        keyferry()
            .env("VAULT_ADDR", bao.addr())
            .env("AXION_CREDENTIALS", dir.path())
            .env("AXION_HOME", dir.path())
            .env("KEYFERRY_CONFIG", example("axion").join(file))
            .args(args)
            .run()
    };
    run("keyferry.yaml", &["job"]).expect(0);
    let env = dir.path().join(".env");
    let expected = |database: &str, redis: &str| {
        json!({
            "DATABASE_URL": format!("postgresql://axion:{database}@localhost:5436/axion_deployment"),
            "REDIS_URL": format!("redis://:{redis}@localhost:6379"),
            "KAFKA_BROKERS": "localhost:9092", "KAFKAJS_NO_PARTITIONER_WARNING": "1", "PORT": "3005", "NODE_ENV": "development",
        })
    };
    let check = |expected: Value| {
        let map: Value =
            serde_json::from_slice(&fs::read(dir.path().join("env_vars.json")).expect("written"))
                .expect("JSON");
        assert_eq!(map, expected);
        for (name, value) in expected.as_object().expect("a map") {
            assert_eq!(
                &variable(&env, name),
                value.as_str().expect("text"),
                "{name}"
            );
        }
        assert_eq!(
            fs::read_to_string(&env).expect("there").lines().count(),
            6,
            "six variables and no more"
        );
    };
    check(expected("second", "r%3A2%2F%40"));
    assert!(
        run("keyferry.yaml", &["job"])
            .expect(0)
            .stderr
            .contains("nothing changed")
    );
    let plan = run("go-back.yaml", &["plan"]).expect(10);
    assert!(
        plan.stdout.contains("update   file") && !plan.stdout.contains(PASSWORD),
        "{}",
        plan.stdout
    );
    run("go-back.yaml", &["job"]).expect(0);
    check(expected("p%40ss%2Fw%3Ard%231%20%25", "r%3A1%2F%40"));
}
