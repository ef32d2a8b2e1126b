package synth

import "time"

// institution is one organisation whose numbers and name the service's users present.
// Names are those of the published case; numbers are invented, from drama ranges.
type institution struct {
	id, name, sector, country string
	aliases                   []string
	numbers                   []registered

	shown []string // display names that name it by an alias
	brief []string // those that leave room for a number beside them
	// The numbers by the grade a call with them has.
	star, exact, ranged, dated []registered
}

// registered is one line of the registry: a number (from = to) or a range.
type registered struct {
	inst      int8 // the institution a verdict names: the lowest id of those that hold the number
	from, to  int64
	inbound   bool
	validFrom int64 // London day as UTC seconds at midnight; 0 = open
	validTo   int64 // the last valid day; 0 = open
}

// validOn reports whether the registration covers the London day of an instant.
func (r registered) validOn(at int64) bool {
	day := london(at) / daySeconds * daySeconds
	return (r.validFrom == 0 || day >= r.validFrom) && (r.validTo == 0 || day <= r.validTo)
}

func line(n int64) registered        { return registered{from: n, to: n} }
func inboundLine(n int64) registered { return registered{from: n, to: n, inbound: true} }
func span(a, b int64) registered     { return registered{from: a, to: b} }

func (r registered) since(y int, m time.Month, d int) registered {
	r.validFrom = utc(y, m, d, 0)
	return r
}
func (r registered) until(y int, m time.Month, d int) registered {
	r.validTo = utc(y, m, d, 0)
	return r
}

// British institutions come first, then those of the other regions.
const ukInstitutions = 11

var institutions = prepare([]institution{
	{id: "barclays", name: "Barclays", sector: "bank", country: "GB",
		aliases: []string{"Barclays", "Barclays Bank", "Barclays UK", "Barclaycard"},
		numbers: []registered{line(442079460001), line(448081570101), inboundLine(443069990101), span(443069990110, 443069990139)}},
	{id: "first-direct", name: "First Direct", sector: "bank", country: "GB",
		aliases: []string{"First Direct", "FirstDirect"},
		numbers: []registered{line(442079460010), inboundLine(443069990202), span(443069990210, 443069990249)}},
	{id: "halifax", name: "Halifax", sector: "bank", country: "GB",
		aliases: []string{"Halifax", "Halifax Bank"},
		numbers: []registered{line(442079460020), line(443069990300), inboundLine(448081570301), span(442079460030, 442079460049)}},
	{id: "hmrc", name: "HM Revenue & Customs", sector: "tax office", country: "GB",
		aliases: []string{"HMRC", "HM Revenue & Customs", "HM Revenue", "Inland Revenue"},
		numbers: []registered{line(443069990400), inboundLine(443069990401), line(448081570402), span(443069990410, 443069990429)}},
	// 225 lies inside First Direct's range: the exact number wins.
	{id: "hsbc", name: "HSBC", sector: "bank", country: "GB",
		aliases: []string{"HSBC", "HSBC UK", "HSBC Bank"},
		numbers: []registered{line(442079460050), line(443069990225), inboundLine(443069990501),
			line(442079460055).since(2021, 9, 1).until(2022, 6, 30), span(443069990510, 443069990539)}},
	// 300 is Halifax's too: the lowest institution id is named.
	{id: "lloyds", name: "Lloyds Bank", sector: "bank", country: "GB",
		aliases: []string{"Lloyds", "Lloyds Bank", "Lloyds Banking Group"},
		numbers: []registered{line(442079460060), line(443069990300), inboundLine(448081570601), span(442079460070, 442079460089)}},
	{id: "nationwide", name: "Nationwide Building Society", sector: "building society", country: "GB",
		aliases: []string{"Nationwide", "Nationwide Building Society"},
		numbers: []registered{line(442079460090), inboundLine(443069990701), span(443069990710, 443069990749)}},
	{id: "natwest", name: "NatWest", sector: "bank", country: "GB",
		aliases: []string{"NatWest", "Nat West", "National Westminster"},
		numbers: []registered{line(442079460100), line(448081570801), inboundLine(443069990801),
			line(448081570802).until(2022, 3, 27), span(442079460110, 442079460129)}},
	{id: "police", name: "Action Fraud", sector: "police", country: "GB",
		aliases: []string{"Action Fraud", "Police Fraud Desk"},
		numbers: []registered{inboundLine(443069990999)}},
	{id: "santander", name: "Santander", sector: "bank", country: "GB",
		aliases: []string{"Santander", "Santander UK"},
		numbers: []registered{line(442079460130), inboundLine(448081570901), line(443069990901), span(443069990910, 443069990939)}},
	{id: "tsb", name: "TSB", sector: "bank", country: "GB",
		aliases: []string{"TSB", "TSB Bank"},
		numbers: []registered{line(442079460140), inboundLine(443069990141), line(442079460142).since(2022, 2, 1), span(442079460150, 442079460169)}},

	{id: "ato", name: "Australian Taxation Office", sector: "tax office", country: "AU",
		aliases: []string{"ATO", "Australian Taxation Office"},
		numbers: []registered{line(61270100100), inboundLine(61270100101)}},
	// No number is known: only a name can name it.
	{id: "boa", name: "Bank of America", sector: "bank", country: "US",
		aliases: []string{"Bank of America", "BofA"}},
	{id: "dgfip", name: "Direction générale des Finances publiques", sector: "tax office", country: "FR",
		aliases: []string{"DGFiP", "Trésor Public", "Direction générale des Finances publiques"},
		numbers: []registered{line(33199000010), inboundLine(33199000011), span(33199000020, 33199000039)}},
	{id: "irs", name: "Internal Revenue Service", sector: "tax office", country: "US",
		aliases: []string{"IRS", "Internal Revenue Service"},
		numbers: []registered{line(12025550110), inboundLine(12025550111), span(12025550120, 12025550129)}},
	{id: "sparkasse", name: "Sparkasse", sector: "bank", country: "DE",
		aliases: []string{"Sparkasse"},
		numbers: []registered{line(496990009010), inboundLine(496990009011), span(496990009020, 496990009029)}},
	{id: "ssa", name: "Social Security Administration", sector: "public office", country: "US",
		aliases: []string{"SSA", "Social Security Administration", "Social Security"},
		numbers: []registered{line(12025550140), inboundLine(12025550141)}},
	{id: "wells-fargo", name: "Wells Fargo", sector: "bank", country: "US",
		aliases: []string{"Wells Fargo"},
		numbers: []registered{line(12025550150), span(12025550160, 12025550169)}},
})

// byRegion lists the institutions presented to people of a region.
var byRegion = func() (out [5][]int8) {
	home := map[string]region{"GB": regionUK, "US": regionUS, "FR": regionFR, "AU": regionAU, "DE": regionDE}
	for i := range institutions {
		r := home[institutions[i].country]
		out[r] = append(out[r], int8(i))
	}
	return out
}()

// favourites weighs the British institutions as often as users choose them.
var favourites = []int8{0, 0, 0, 0, 9, 9, 9, 4, 4, 4, 5, 5, 5, 2, 2, 1, 7, 7, 6, 10, 3, 3, 8}

// prepare sorts each institution's numbers by the grade they give and fills in whose they are.
func prepare(list []institution) []institution {
	owner := map[int64]int8{}
	for i := range list {
		in := &list[i]
		for k := range in.numbers {
			n := &in.numbers[k]
			n.inst = int8(i)
			if n.from != n.to {
				in.ranged = append(in.ranged, *n)
				continue
			}
			if first, held := owner[n.from]; held {
				n.inst = first
			} else {
				owner[n.from] = int8(i)
			}
			switch {
			case n.validFrom != 0 || n.validTo != 0:
				in.dated = append(in.dated, *n)
			case n.inbound:
				in.star = append(in.star, *n)
			default:
				in.exact = append(in.exact, *n)
			}
		}
		in.shown = displayNames(in.aliases)
		in.brief = short(in.shown)
	}
	return list
}

// exactNumbers holds every exact registered number, so that a number drawn from a range is
// not by chance one of them.
var exactNumbers = func() map[int64]bool {
	out := map[int64]bool{}
	for _, in := range institutions {
		for _, n := range in.numbers {
			if n.from == n.to {
				out[n.from] = true
			}
		}
	}
	return out
}()
