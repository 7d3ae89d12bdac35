//! `man`: the manual page.

use clap::Args;

use keyferry::base::failure::{Class, Failure};
use keyferry::mode::Ended;
use keyferry::pass::outcome::Failed;

use crate::cli::print::print;

/// Print the man page
#[derive(Debug, Args)]
pub(crate) struct Man;

impl Man {
    pub(super) fn run(self, all: clap::Command) -> Ended {
        match man_page(all) {
            Ok(page) => print(&page),
            Err(error) => Ended::Failed(Failed::of_the_run(Failure::new(
                Class::Sink,
                error.to_string(),
            ))),
        }
    }
}

/// The main page, then the options of each command: one page holds all.
fn man_page(mut all: clap::Command) -> std::io::Result<String> {
    let mut page = Vec::new();
    clap_mangen::Man::new(all.clone()).render(&mut page)?;
    let mut page = String::from_utf8_lossy(&page).into_owned();
    all.build();
    for command in all
        .get_subcommands()
        .filter(|command| command.get_name() != "help")
    {
        let mut options = Vec::new();
        clap_mangen::Man::new(command.clone()).render_options_section(&mut options)?;
        let heading = format!(".SH \"OPTIONS OF {}\"", command.get_name().to_uppercase());
        page.push_str(&String::from_utf8_lossy(&options).replacen(".SH OPTIONS", &heading, 1));
    }
    Ok(page)
}
