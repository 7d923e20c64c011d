//! A login by another device: a human opens the provider's page anywhere and types a code (RFC 8628).

use std::time::Duration;

use oauth2::{DeviceAuthorizationUrl, StandardDeviceAuthorizationResponse};

use super::provider::refused;
use super::{Provider, Tokens};
use crate::output::{Failure, Output, Tone};
use crate::visible;

/// How long a human may take, whatever the provider says.
const PATIENCE: Duration = Duration::from_secs(900);

/// Shows a code and waits until a human has typed it at the provider.
pub(crate) async fn log_in(provider: &Provider, output: &mut Output) -> Result<Tokens, Failure> {
    let client = provider.client().set_device_authorization_url(DeviceAuthorizationUrl::from_url(provider.device()?));
    let asked = client.exchange_device_code().add_scopes(provider.scopes()).request_async(provider.http()).await;
    let asked: StandardDeviceAuthorizationResponse = asked.map_err(refused)?;
    let shown = |text: &str| output.toned(Tone::Strong, visible::line(text));
    let (url, code) = (shown(asked.verification_uri()), shown(asked.user_code().secret()));
    output.line(format_args!("Open {url} on any device, and type this code:\n\n  {code}\n"))?;
    if let Some(whole) = asked.verification_uri_complete() {
        output.line(format_args!("Or open {}\n", visible::line(whole.secret())))?;
    }
    output.flush()?;
    let waiting = client.exchange_device_access_token(&asked);
    let answer = waiting.request_async(provider.http(), tokio::time::sleep, Some(PATIENCE)).await;
    provider.tokens(&answer.map_err(refused)?)
}
