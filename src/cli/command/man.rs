//! `man`: the manual page.

use clap::{Args, CommandFactory};

use keyferry::base::failure::{Class, Failure};
use keyferry::mode::Ended;
use keyferry::pass::outcome::Failed;

use crate::cli::arguments::Cli;
use crate::cli::print::print;

/// Print the man page
#[derive(Debug, Args)]
pub(crate) struct Man;

impl Man {
    pub(super) fn run(self) -> Ended {
        match man_page() {
            Ok(page) => print(&page),
            Err(error) => Ended::Failed(Failed::of_the_run(Failure::new(
                Class::Sink,
                error.to_string(),
            ))),
        }
    }
}

/// The main page, then the options of each command: one page holds all.
fn man_page() -> std::io::Result<String> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    let mut page = String::from_utf8_lossy(&page).into_owned();
    let mut command = Cli::command();
    command.build();
    for command in command
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
