//! Which deliveries are made together: those that share a source, directly or through others. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::config::{AgeKey, Config, Delivery, SealedKey, Source, Target};
use crate::overlap::Unions;

/// Takes a configuration apart into groups, in the order of their first deliveries.
pub fn split(config: Config) -> Vec<Config> {
    let Config {
        name,
        vaults,
        keys,
        sidecar,
        deliveries,
        reflector: _,
        manifests,
    } = config;
    let numbers = numbered(&deliveries);
    let mut groups: BTreeMap<usize, Config> = BTreeMap::new();
    let empty = || Config {
        name: name.clone(),
        vaults: vaults.clone(),
        keys: keys.clone(),
        sidecar: sidecar.clone(),
        deliveries: Vec::new(),
        manifests: Vec::new(),
        reflector: None,
    };
    // What is pruned is what nobody describes: whoever describes a Secret is in the group in which that is asked.
    let describe = deliveries.iter().zip(&numbers);
    let describe = describe.filter(|(delivery, _)| delivery.to.iter().any(in_cluster));
    let describe: BTreeSet<usize> = match manifests.is_empty() {
        true => BTreeSet::new(),
        false => describe.map(|(_, number)| *number).collect(),
    };
    let whole = describe.first().copied().unwrap_or(usize::MAX);
    for (delivery, number) in deliveries.into_iter().zip(numbers) {
        let number = match describe.contains(&number) {
            true => whole,
            false => number,
        };
        let group = groups.entry(number).or_insert_with(empty);
        group.deliveries.push(delivery);
    }
    if !manifests.is_empty() {
        let group = groups.entry(whole).or_insert_with(empty);
        group.manifests = manifests;
    }
    groups.into_values().collect()
}

fn in_cluster(target: &Target) -> bool {
    match target {
        Target::Secret(_) => true,
        Target::File(_) | Target::Files(_) => false,
    }
}

/// A configuration of only one of its deliveries, for its environment: without targets.
pub fn alone(config: &Config, name: &str) -> Config {
    let delivery = |delivery: &Delivery| Delivery {
        name: delivery.name.clone(),
        from: delivery.from.clone(),
        fields: delivery.fields.clone(),
        require: delivery.require.clone(),
        deliver: delivery.deliver.clone(),
        allow_empty: delivery.allow_empty,
        to: Vec::new(),
        on_change: Vec::new(),
        staleness: delivery.staleness.clone(),
        at: delivery.at.clone(),
    };
    Config {
        name: config.name.clone(),
        vaults: config.vaults.clone(),
        keys: config.keys.clone(),
        manifests: Vec::new(),
        sidecar: config.sidecar.clone(),
        deliveries: config
            .deliveries
            .iter()
            .filter(|delivery| delivery.name == name)
            .map(delivery)
            .collect(),
        reflector: None,
    }
}

/// For each delivery the lowest number among those it is made with.
fn numbered(deliveries: &[Delivery]) -> Vec<usize> {
    let mut unions = Unions::of(deliveries.len());
    let mut first: BTreeMap<&Source, usize> = BTreeMap::new();
    for (index, delivery) in deliveries.iter().enumerate() {
        for from in &delivery.from {
            unions.unite(index, *first.entry(&from.source).or_insert(index));
        }
    }
    let numbers = 0..deliveries.len();
    numbers.map(|number| unions.first(number)).collect()
}

/// Files whose change means a pass of this group: sources, and the keys that open them.
pub fn files(group: &Config) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    let (mut age, mut sealed) = (false, false);
    for (_, source) in group.sources() {
        match source {
            Source::Age { file, .. } | Source::Sops { file, .. } => {
                age = true;
                files.push(file.clone());
            }
            Source::Sealed { file, .. } | Source::SealedManifests { file } => {
                sealed = true;
                files.push(file.clone());
            }
            Source::SealedObject(_) => sealed = true,
            Source::Vault(_) | Source::Secret(_) => {}
        }
    }
    let age_keys = group.keys.age.iter().filter_map(|key| match key {
        AgeKey::File(file) | AgeKey::Ssh(file) | AgeKey::Passphrase(file) => Some(file.clone()),
        AgeKey::Vault { .. } | AgeKey::Secret { .. } => None,
    });
    files.extend(age_keys.filter(|_| age));
    let sealed_keys = group.keys.sealed.iter().filter_map(|key| match key {
        SealedKey::File(file) => Some(file.clone()),
        SealedKey::Selector { .. } | SealedKey::Secret(_) | SealedKey::Vault { .. } => None,
    });
    files.extend(sealed_keys.filter(|_| sealed));
    files.sort();
    files.dedup();
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load::of_text;

    fn config(deliveries: &[(&str, &[&str])]) -> Config {
        let mut text = "keys: {age: [{file: age.key}], sealed: [{file: s.key}]}\nvault: {address: 'http://127.0.0.1:1', auth: {token: {file: t}}}\ndeliveries:\n".to_owned();
        for (name, from) in deliveries {
            text += &format!(
                "- {{name: {name}, from: [{}], to: [{{file: {{path: out/{name}.env}}}}]}}\n",
                from.join(", ")
            );
        }
        of_text(&text)
    }

    fn names(groups: &[Config]) -> Vec<String> {
        let joined = |group: &Config| {
            let names: Vec<&str> = group.deliveries.iter().map(|d| d.name.as_str()).collect();
            names.join("+")
        };
        groups.iter().map(joined).collect()
    }

    #[test]
    fn deliveries_that_share_a_source_are_one_group() {
        type Row<'a> = (&'a [(&'a str, &'a [&'a str])], &'a [&'a str]);
        let rows: [Row<'_>; 3] = [
            (
                &[("a", &["{vault: kv/a}"]), ("b", &["{vault: kv/b}"])],
                &["a", "b"],
            ),
            (
                &[
                    ("a", &["{vault: kv/x}"]),
                    ("b", &["{vault: kv/b}"]),
                    ("c", &["{vault: kv/x}"]),
                ],
                &["a+c", "b"],
            ),
            (
                &[
                    ("a", &["{vault: kv/1}"]),
                    ("b", &["{vault: kv/2}"]),
                    ("c", &["{vault: kv/3}"]),
                    ("d", &["{vault: kv/3}", "{vault: kv/1}"]),
                    ("e", &["{vault: kv/2}", "{vault: kv/1}"]),
                ],
                &["a+b+c+d+e"],
            ),
        ];
        for (deliveries, want) in rows {
            assert_eq!(names(&split(config(deliveries))), want, "{deliveries:?}");
        }
    }

    #[test]
    fn a_group_watches_its_files_and_the_keys_that_open_them() {
        let rows: [(&str, &[&str]); 4] = [
            ("{vault: kv/a}", &[]),
            ("{sops: a.enc.env}", &["/c/a.enc.env", "/c/age.key"]),
            ("{age: a.env.age}", &["/c/a.env.age", "/c/age.key"]),
            ("{sealed: a.yaml}", &["/c/a.yaml", "/c/s.key"]),
        ];
        for (from, want) in rows {
            let group = config(&[("a", &[from])]);
            let want: Vec<PathBuf> = want.iter().map(PathBuf::from).collect();
            assert_eq!(files(&group), want, "{from}");
        }
    }
}
