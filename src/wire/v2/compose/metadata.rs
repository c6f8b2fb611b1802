//! What a series of 2.0 says of its metric, made of an entry of 1.0.

use super::{Composer, METADATA};
use crate::codec::varint;
use crate::wire::metadata::Said;

impl Composer {
    /// Writes what is said of the metric of the series that is being written.
    pub(super) fn say(&mut self, said: &Said<'_>) {
        let texts = [(0x18, said.help), (0x20, said.unit)].map(|(tag, text)| (tag, self.position(text)));
        let start = self.open(METADATA);
        if said.metric_type != 0 {
            self.series.push(0x08);
            varint::put(&mut self.series, said.metric_type as usize);
        }
        // 0 is the empty text
        for (tag, position) in texts.into_iter().filter(|(_, position)| *position != 0) {
            self.series.push(tag);
            varint::put(&mut self.series, position as usize);
        }
        varint::fill(&mut self.series, start, 1);
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use seriesgate_proto::v2::{Metadata, Request};
    use seriesgate_proto::{TimeSeries, WriteRequest, v2};

    use super::*;

    #[test]
    fn a_series_of_1_0_says_what_an_entry_says_of_its_metric() {
        let series = TimeSeries::named("up", &[("a", "b")]).with_sample(1, 2.0);
        let content = series.encode_to_vec();
        let said = Said { metric_type: 2, family: b"up", help: b"a", unit: b"" };
        let mut composer = Composer::default();
        composer.start();
        composer.add_v1_saying(&content, Some(&said)).unwrap();
        composer.add_v1(&content).unwrap();
        let mut expected = v2::Request::of(&WriteRequest::of(vec![series.clone(), series]));
        // the text is there already, as the name of a label
        expected.timeseries[0].metadata = Some(Metadata { r#type: 2, help_ref: 3, unit_ref: 0 });
        assert_eq!(Request::decode(composer.finish()).unwrap(), expected);
    }
}
