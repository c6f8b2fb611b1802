//! Where a gate's admin port is, and how it lets in who asks: options, and environment variables of the same names.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use hyper::header::HeaderValue;
use rustls::ClientConfig;

use super::{ADMIN, Url};
use crate::config::Tls;
use crate::egress::{EgressError, client_tls};

/// A secret is a line; more is the wrong file.
const MAX_BYTES: usize = 64 << 10;

/// The admin port to ask.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct Admin {
    /// Admin port of the gate; `https://` where it has `admin.tls`.
    #[arg(long = "admin", value_name = "URL", default_value = ADMIN, env = "SERIESGATE_ADMIN", hide_env_values = true)]
    pub(super) url: Url,
    /// Name of a user of its `admin.auth`.
    #[arg(
        long,
        value_name = "NAME",
        env = "SERIESGATE_ADMIN_USER",
        hide_env_values = true,
        requires = "admin_password_file"
    )]
    admin_user: Option<String>,
    /// File that holds the password of that user.
    #[arg(
        long,
        value_name = "FILE",
        env = "SERIESGATE_ADMIN_PASSWORD_FILE",
        hide_env_values = true,
        requires = "admin_user"
    )]
    admin_password_file: Option<PathBuf>,
    /// File that holds the token of a user.
    #[arg(
        long,
        value_name = "FILE",
        env = "SERIESGATE_ADMIN_TOKEN_FILE",
        hide_env_values = true,
        conflicts_with = "admin_user"
    )]
    admin_token_file: Option<PathBuf>,
    /// PEM certificates of authorities to believe instead of the built-in ones.
    #[arg(long, value_name = "FILE", env = "SERIESGATE_ADMIN_CA_FILE", hide_env_values = true)]
    admin_ca_file: Option<PathBuf>,
    /// PEM certificate to show, where `admin.tls` has a `client_ca_file`.
    #[arg(
        long,
        value_name = "FILE",
        env = "SERIESGATE_ADMIN_CERT_FILE",
        hide_env_values = true,
        requires = "admin_key_file"
    )]
    admin_cert_file: Option<PathBuf>,
    /// PEM key of that certificate.
    #[arg(
        long,
        value_name = "FILE",
        env = "SERIESGATE_ADMIN_KEY_FILE",
        hide_env_values = true,
        requires = "admin_cert_file"
    )]
    admin_key_file: Option<PathBuf>,
}

impl Admin {
    /// What to send as `Authorization`. The files are read each time: a report that goes on may outlive a password.
    pub(super) fn authorization(&self) -> Result<Option<HeaderValue>> {
        let value = match (&self.admin_user, &self.admin_password_file, &self.admin_token_file) {
            (Some(user), Some(file), _) => {
                let password = secret("--admin-password-file", file)?;
                format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
            }
            (_, _, Some(file)) => format!("Bearer {}", secret("--admin-token-file", file)?),
            _ => return Ok(None),
        };
        // the reason would quote it
        let mut value =
            HeaderValue::from_str(&value).ok().context("the credentials cannot be sent in a header")?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    /// Whom to believe, and what to show.
    pub(super) fn tls(&self) -> Result<ClientConfig> {
        let tls = Tls {
            ca_file: self.admin_ca_file.clone(),
            cert_file: self.admin_cert_file.clone(),
            key_file: self.admin_key_file.clone(),
            ..Tls::default()
        };
        client_tls(&tls, "admin").map_err(|error| match error {
            EgressError::Pem { key, path, reason } => {
                let option = key.trim_start_matches("tls.").replace('_', "-");
                anyhow::anyhow!("--admin-{option}: {}: {reason}", path.display())
            }
            error => error.into(),
        })
    }
}

fn secret(option: &str, file: &Path) -> Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{option}: {}", file.display()))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() || text.len() > MAX_BYTES {
        bail!("{option}: {}: expected a secret, found {} bytes", file.display(), text.len());
    }
    Ok(text.to_owned())
}
