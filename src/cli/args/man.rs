//! The arguments of `conntop man`.

use std::path::PathBuf;

use clap::Args;

pub(in crate::cli) const EXAMPLES: &str = "\
Examples:
  conntop man | man -l -                                    read conntop(1)
  conntop man list | man -l -                               read conntop-list(1)
  conntop man --dir ~/.local/share/man/man1                 install all of them
  sudo conntop man --dir /usr/local/share/man/man1          for everybody

The folder must exist. Pages that conntop has made are replaced, so that an update can run the
same command again; a file of that name that conntop has not made is left alone.";

#[derive(Args, Debug)]
pub(in crate::cli) struct ManArguments {
    /// The command to print the page of; conntop(1) unless said otherwise
    #[arg(value_name = "COMMAND")]
    pub(in crate::cli) command: Option<String>,
    /// Write the pages of all commands into this folder: conntop.1, conntop-list.1, and so on
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub(in crate::cli) dir: Option<PathBuf>,
}
