//! Which deliveries form a group, so that a shared source is read once, and which form a batch, so
//! that they are made at the same time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::base::overlap::Unions;
use crate::config::{Config, Delivery, KeyKind, Source, Target};
use crate::pass::observe::together;
use crate::plan::declared_copies::pruned;

/// Splits a configuration into groups that share sources, directly or through others, in the order
/// of their first deliveries. Each group is split into batches: deliveries that may have the same
/// place are made at the same time.
pub async fn split(config: Config) -> Vec<Vec<Config>> {
    let numbers = numbered(&config.deliveries);
    let mut groups = Vec::new();
    for group in parted(config, numbers) {
        let numbers = apart(&group.deliveries).await;
        groups.push(parted(group, numbers));
    }
    groups
}

/// For each delivery the lowest number in its batch.
async fn apart(deliveries: &[Delivery]) -> Vec<usize> {
    let mut numbers = vec![0; deliveries.len()];
    for made in together(deliveries).await {
        let first = made.iter().min().copied().unwrap_or_default();
        made.iter().for_each(|number| numbers[*number] = first);
    }
    // Pruning deletes Secrets that none of these deliveries describes any more, so they stay
    // together.
    if deliveries
        .iter()
        .any(|delivery| !pruned(delivery, "").is_empty())
    {
        let both = deliveries.iter().zip(&numbers);
        let describe = both.filter(|(delivery, _)| delivery.to.iter().any(in_cluster));
        let describe: BTreeSet<usize> = describe.map(|(_, number)| *number).collect();
        let first = describe.first().copied().unwrap_or_default();
        for number in numbers
            .iter_mut()
            .filter(|number| describe.contains(number))
        {
            *number = first;
        }
    }
    numbers
}

/// One configuration for each distinct number.
fn parted(config: Config, numbers: Vec<usize>) -> Vec<Config> {
    let Config {
        name,
        vaults,
        keys,
        sidecar,
        deliveries,
        reflector: _,
        mark_key,
        manifests,
    } = config;
    let mut groups: BTreeMap<usize, Config> = BTreeMap::new();
    let empty = || Config {
        name: name.clone(),
        vaults: vaults.clone(),
        keys: keys.clone(),
        sidecar: sidecar.clone(),
        // Most groups have one delivery, and there may be thousands of groups.
        deliveries: Vec::with_capacity(1),
        manifests: Vec::new(),
        reflector: None,
        mark_key: mark_key.clone(),
    };
    // Pruning deletes Secrets that nobody describes any more, so every delivery that describes a
    // Secret is in the group of the manifests.
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

/// A configuration with only one of its deliveries, without targets, for its environment.
pub fn alone(config: &Config, name: &str) -> Config {
    let delivery = |delivery: &Delivery| Delivery {
        to: Vec::new(),
        history: None,
        on_change: Vec::new(),
        ..delivery.clone()
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
        mark_key: None,
    }
}

/// For each delivery the lowest number in its group.
fn numbered(deliveries: &[Delivery]) -> Vec<usize> {
    let mut unions = Unions::new(deliveries.len());
    let mut first: BTreeMap<&Source, usize> = BTreeMap::new();
    for (index, delivery) in deliveries.iter().enumerate() {
        for from in &delivery.from {
            unions.unite(index, *first.entry(&from.source).or_insert(index));
        }
    }
    let numbers = 0..deliveries.len();
    numbers.map(|number| unions.first(number)).collect()
}

/// Files whose change causes a pass: sources, and the keys that open them.
pub fn files(group: &Config) -> Vec<PathBuf> {
    let sources = || group.sources().map(|(_, source)| source);
    let used = |kind| sources().any(|source| source.opened_by() == Some(kind));
    let mut files: Vec<&Path> = sources().filter_map(Source::file).collect();
    let age_keys = group.keys.age.iter().flat_map(|age| age.key.files());
    files.extend(age_keys.filter(|_| used(KeyKind::Age)));
    let sealed_keys = group
        .keys
        .sealed
        .iter()
        .filter_map(|sealed| sealed.key.file());
    files.extend(sealed_keys.filter(|_| used(KeyKind::Sealed)));
    files.sort_unstable();
    files.dedup();
    files.into_iter().map(Path::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load::of_text;

    fn config(deliveries: &[(&str, &[&str])]) -> Config {
        let mut text = "keys: {age: [{file: age.key}], sealed: [{file: s.key}]}\nvault: \
            {address: 'http://127.0.0.1:1', auth: {token: {file: t}}}\ndeliveries:\n"
            .to_owned();
        for (name, from) in deliveries {
            text += &format!(
                "- {{name: {name}, from: [{}], to: [{{file: {{path: out/{name}.env}}}}]}}\n",
                from.join(", ")
            );
        }
        of_text(&text)
    }

    /// `+` joins the deliveries of a batch, `,` the batches of a group.
    fn names(groups: &[Vec<Config>]) -> Vec<String> {
        let made = |config: &Config| {
            let names: Vec<&str> = config.deliveries.iter().map(|d| d.name.as_str()).collect();
            names.join("+")
        };
        let kept = |group: &Vec<Config>| group.iter().map(made).collect::<Vec<_>>().join(",");
        groups.iter().map(kept).collect()
    }

    #[tokio::test]
    async fn deliveries_that_share_a_source_are_one_group() {
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
                &["a,c", "b"],
            ),
            (
                &[
                    ("a", &["{vault: kv/1}"]),
                    ("b", &["{vault: kv/2}"]),
                    ("c", &["{vault: kv/3}"]),
                    ("d", &["{vault: kv/3}", "{vault: kv/1}"]),
                    ("e", &["{vault: kv/2}", "{vault: kv/1}"]),
                ],
                &["a,b,c,d,e"],
            ),
        ];
        for (deliveries, want) in rows {
            assert_eq!(
                names(&split(config(deliveries)).await),
                want,
                "{deliveries:?}"
            );
        }
    }

    #[tokio::test]
    async fn row_158_what_may_meet_or_is_pruned_is_made_at_one_time() {
        let text = |prune: bool| {
            format!(
                "name: test\nmarkKey: {{}}\nvault: {{address: 'http://127.0.0.1:1', auth: {{token: {{file: t}}}}}}\ndeliveries:\n\
             - {{name: a, from: [{{vault: kv/x}}], to: [{{secret: {{name: a, namespace: n}}, reflect: {{namespaces: [m], prune: {prune}}}}}]}}\n\
             - {{name: b, from: [{{vault: kv/x}}], to: [{{file: {{path: b.env}}}}]}}\n\
             - {{name: c, from: [{{vault: kv/x}}], to: [{{secret: {{name: c, namespace: n}}}}]}}\n\
             - {{name: d, from: [{{vault: kv/x}}], to: [{{secret: {{name: c}}}}]}}\n"
            )
        };
        for (prune, want) in [(false, "a,b,c+d"), (true, "a+c+d,b")] {
            assert_eq!(names(&split(of_text(&text(prune))).await), [want]);
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
