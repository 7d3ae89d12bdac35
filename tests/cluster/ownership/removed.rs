//! `onMissing: delete`: what is another's stays, and what goes at once is held by a brake.

use serde_json::json;

use super::{CANARY, CONFIGURATION, OURS, Site};
use crate::support::openbao::OpenBao;
use crate::support::process::eventually;
use crate::support::sidecar::{RunningSidecar, SOON};

/// A sidecar with one Secret `s0`, `s1`, … for each of so many paths, all of which exist.
fn sidecar(site: &Site, bao: &OpenBao, many: usize, more: &[&str]) -> RunningSidecar {
    let token = site.folder.write("token", bao.root_token());
    let deliveries: String = (0..many)
        .map(|number| {
            let target = site.target(&format!("s{number}"), "");
            format!(
                "- {{name: d{number}, onMissing: delete, from: [{{vault: \
                kv/data/s{number}}}], to: [{target}]}}\n"
            )
        })
        .collect();
    let config = format!(
        "name: shop\nvault: {{address: '{}', auth: {{token: {{file: '{}'}}}}}}\nsidecar: \
         {{refresh: 1s}}\ndeliveries:\n{deliveries}",
        bao.plain_addr(),
        token.display()
    );
    RunningSidecar::start_with(site.folder.path(), &config, |run| {
        run.env("KUBECONFIG", site.cluster.kubeconfig()).args(more)
    })
}

fn standing(site: &Site, many: usize) -> usize {
    let there = |number: &usize| {
        let name = format!("s{number}");
        site.cluster.secret(&site.namespace, &name).is_some()
    };
    (0..many).filter(there).count()
}

#[test]
fn row_114_when_everything_is_gone_at_once_most_of_it_stays_until_a_person_says_so() {
    const MANY: usize = 6;
    let (site, bao) = (Site::new(), OpenBao::start());
    for number in 0..MANY {
        bao.put(
            &format!("s{number}"),
            &json!({"password": format!("{CANARY}{number}")}),
        );
    }
    let first = sidecar(&site, &bao, MANY, &[]);
    first.ready();
    for number in 0..MANY {
        bao.delete(&format!("kv/metadata/s{number}"));
    }
    let held = || {
        first
            .reasons()
            .matches("not removed although its source is gone")
            .count()
    };
    eventually("three are held", SOON, || held() == 3);
    assert_eq!(standing(&site, MANY), 3);
    let status = first.command("status").expect(0);
    assert!(
        status.stdout.contains("3 more wait (d"),
        "{}",
        status.stdout
    );
    let hint = "restart the sidecar once with `--allow-deletes";
    let said = first.end().stderr;
    assert!(said.contains(hint), "{said}");

    let second = sidecar(&site, &bao, MANY, &["--allow-deletes", "6"]);
    eventually("a person released them", SOON, || {
        standing(&site, MANY) == 0
    });
    drop(second);
}

#[test]
fn row_108_what_another_configuration_wrote_is_not_removed_with_its_source() {
    let (site, bao) = (Site::new(), OpenBao::start());
    let theirs = json!({"labels": {OURS: "keyferry", CONFIGURATION: "other"}});
    site.applied("keyferry", "s0", &theirs, &json!({"k": "eA=="}));
    let before = site.stored("s0");
    let sidecar = sidecar(&site, &bao, 1, &[]);
    eventually("its source is gone", SOON, || {
        sidecar.reasons().contains("d0: not ready")
    });
    eventually("some passes went by", SOON, || {
        sidecar
            .metric("keyferry_passes_total")
            .is_some_and(|passes| passes > 2.0)
    });
    assert_eq!(site.stored("s0"), before);
}
