//! archpad as its owners have it: what lies in Vault, and who may read it.

use serde_json::json;

use crate::support::cluster::Cluster;
use crate::support::openbao::OpenBao;

/// One that needs quoting everywhere.
pub(crate) const PASSWORD: &str = "p@ss/w:rd#1 %";

/// archpad's Vault before keyferry: one role for four ServiceAccounts, and a policy by hand that is
/// wider than it need be.
pub(crate) fn archpad(cluster: &Cluster) -> OpenBao {
    let bao = cluster.vault_with_kubernetes_auth();
    bao.policy(
        "platform",
        "path \"kv/data/archpad/demo/*\" { capabilities = [\"read\"] }\npath \
        \"kv/data/container-register\" { capabilities = [\"read\"] }",
    );
    bao.post(
        "auth/kubernetes/role/platform",
        &json!({
            "bound_service_account_names": "arch-repo-service,tenant-service,hasura-sync-service,registry-secret-sync",
            "bound_service_account_namespaces": "platform", "audience": "vault", "token_policies": "platform", "token_ttl": "10m",
        }),
    );
    fill(&bao);
    bao
}

/// What lies in archpad's Vault.
pub(crate) fn fill(bao: &OpenBao) {
    bao.put(
        "container-register",
        &json!({"server": "cr.example.com", "username": "robot", "password": PASSWORD}),
    );
    bao.put("archpad/demo/postgres",
        &json!({"user": "arch", "password": PASSWORD, "host": "pg", "port": 5432, "dbname": "archpad"}),
    );
    bao.put(
        "archpad/demo/backend/common",
        &json!({"LOG_LEVEL": "info", "PORT": "3000"}),
    );
    bao.put(
        "archpad/demo/hasura-secret",
        &json!({"HASURA_ADMIN_SECRET": "hasura-canary"}),
    );
    for service in ["arch-repo-service", "tenant-service", "hasura-sync-service"] {
        bao.put(
            &format!("archpad/demo/backend/{service}"),
            &json!({"SERVICE": service, "PORT": "3001"}),
        );
    }
}

/// Lets the Job `hasura-vault-role` write the role `platform` and its policy, and nothing else.
pub(crate) fn allow_role_job(bao: &OpenBao) {
    let rights = ["sys/policy/platform", "auth/kubernetes/role/platform"].map(|path| {
        format!("path \"{path}\" {{ capabilities = [\"read\", \"create\", \"update\"] }}\n")
    });
    bao.policy("hasura-vault-role", &rights.concat());
    let role = json!({
        "bound_service_account_names": "hasura-vault-role", "audience": "vault",
        "bound_service_account_namespaces": "platform", "token_policies": "hasura-vault-role",
    });
    bao.post("auth/kubernetes/role/hasura-vault-role", &role);
}
