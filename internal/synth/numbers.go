package synth

import (
	"strconv"
	"strings"
)

// numberRange is size consecutive E.164 numbers.
type numberRange struct{ first, size int64 }

// rangeOf is all numbers that begin with the given digits and have length digits in all.
func rangeOf(prefix string, length int) numberRange {
	first, err := strconv.ParseInt(prefix+strings.Repeat("0", length-len(prefix)), 10, 64)
	if err != nil {
		panic("synth: number prefix " + prefix)
	}
	size := int64(1)
	for range length - len(prefix) {
		size *= 10
	}
	return numberRange{first, size}
}

func rangesOf(length int, prefixes ...string) []numberRange {
	out := make([]numberRange, len(prefixes))
	for i, p := range prefixes {
		out[i] = rangeOf(p, length)
	}
	return out
}

// Ofcom's numbers for use in TV and radio drama: nobody has them. Ordinary people of a
// small world have theirs in dramaLandlines and dramaMobiles.
var (
	dramaMobiles   = []string{"447700900"}
	dramaLandlines = []string{
		"441134960", "441144960", "441154960", "441164960", "441174960", "441184960", // Leeds to Reading
		"441214960", "441314960", "441414960", "441514960", "441614960", // Birmingham to Manchester
		"441914980", "442896496", // Tyneside, Northern Ireland
	}
)

// What the number plan of this world says beyond the people's own blocks.
const (
	officeBlock      = "442079460"  // registered institutions in its lower half, ordinary offices in its upper
	registryBlock    = "443069990"  // registered institutions
	freephoneBlock   = "448081570"  // registered institutions
	dramaBlock       = "441632960"  // status drama: impossible as a presented number
	unallocatedBlock = "44292018"   // status unallocated: impossible too
	islandBlock      = "4429201809" // inside it, yet allocated: the longest prefix wins
)

// Foreign numbers that regulators reserve for fiction.
var (
	// NANPA keeps 555-0100 to 555-0199 of every area code for fiction. Washington (202) is
	// left to the institutions.
	usAreaCodes = strings.Fields(`201 203 205 206 207 208 209 210 212 213 214 215 216 217 218 219 224 225
		228 229 231 234 239 240 248 251 252 253 254 256 260 262 267 269 270 276 281 301 302 303 304 305 307 308
		309 310 312 313 314 315 316 317 318 319 320 321 323 325 330 331 334 336 337 339 347 351 352 360 361 386
		401 402 404 405 406 407 408 409 410 412 413 414 415 417 419 423 424 425 430 432 434 435 440 443 469 478
		479 480 484 501 502 503 504 505 507 508 509 510 512 513 515 516 517 518 520 530 540 541 551 559 561 562
		563 567 570 571 573 574 580 585 586 601 602 603 605 606 607 608 609 610 612 614 615 616 617 618 619 620
		623 626 630 631 636 641 646 650 651 660 661 662 678 682 701 702 703 704 706 707 708 712 713 714 715 716
		717 718 719 720 724 727 731 732 734 740 754 757 760 763 765 770 772 773 774 775 781 785 786 801 802 803
		804 805 806 808 810 812 813 814 815 816 817 818 828 830 831 832 843 845 847 848 850 856 857 858 859 860
		862 863 864 865 870 901 903 904 906 907 908 909 910 912 913 914 915 916 917 918 919 920 925 928 931 936
		937 940 941 947 949 951 952 954 956 970 971 972 973 978 979 980 985 989`)
	// Arcep's numbers for audiovisual works; 01 99 00 is left to the institutions.
	frFiction = []string{"3326191", "3335301", "3346571", "3353649", "3363998"}
	// ACMA's numbers for radio, books, film and television; 02 7010 is left to the institutions.
	auFiction = []string{"61491570", "6125550", "6135550", "6137010", "6175550", "6177010", "6185550", "6187010"}
	// Bundesnetzagentur's drama numbers: Berlin, Cologne (0221 4710), Hamburg, Munich; Frankfurt
	// (069 90009) is left to the institutions.
	deFiction = []string{"493023125", "494066969", "498999998"}
	// NANPA keeps the area codes N9X for a future expansion of the plan: no number in them
	// exists. They hold the many Americans of a large world.
	usExpansion = []string{"1290", "1291", "1292", "1293", "1294", "1295", "1296", "1297", "1298", "1299",
		"1390", "1391", "1392", "1393", "1394", "1395", "1396", "1397", "1398", "1399"}
)

// Blocks of the British plan without a provider, in the state of Ofcom's numbering data of
// March 2023: nobody had these numbers. They hold the people of a world above drama scale.
var (
	emptyMobiles = strings.Fields(`7104 7109 7113 7117 7121 7126 7130 7134 7138 7143 7147 7151 7155 7160 7164
		7168 7172 7177 7181 7185 7189 7194 7198 7203 7207 7211 7215 7220 7224 7228 7232 7237 7241 7245 7249 7254`)
	emptyUserMobiles = strings.Fields(`7290 7291 7292 7293 7294 7295`) // the users' own telephones
	emptyLandlines   = strings.Fields(`113001 113508 114141 115024 115233 116059 117018 117412 118194 121143 120614
		122899 124210 125318 126208 127545 128518 129318 130129 130973 131269 131779 132407 133358 134314 135314
		136105 136917 138014 139206 140509 141084 141603 141938 142816 143614 144539 145603 146502 147402 148412
		149315 150348 151095 151623 151984 152918 154217 155011 156000 156802 157700 158610 159712 161002 161525
		162516 163617 164715 165905 166819 167617 168619 169575 172003 172813 174099 175101 176111 177010 177935
		179204 180311 182306 183301 184216 185427 186411 187417 188316 189215 191006 191610 192204 193309 194416
		195206 196411 197504 198509 199506 203029 203346 203497 203629 207196 208110 238014 238203 238288 239341
		239452 239470 239488 247552 247570 247588 247794 282124 282561 282731 282917 283006 283726 284130 284334
		286661 286829 287145 287917 288123 288251 288619 288766 289126 289239 289426 289706 292127 292237`)
)

func withPrefix(p string, list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = p + s
	}
	return out
}

// region is where a called number lives.
type region uint8

const (
	regionUK region = iota
	regionUS
	regionFR
	regionAU
	regionDE
)

// pool is the telephone numbers of one group of people. Number v of the pool is scattered
// over its ranges by a fixed permutation, so neighbours in the pool are strangers.
type pool struct {
	region   region
	prefixes []string
	mobile   bool
	ranges   []numberRange
	capacity int64
	mul, add int64
	n        int64 // numbers in use: 0..n-1
	first    int64 // index of number 0 among all people of the world
}

func newPool(seed uint64, salt int64, reg region, length int, prefixes []string, want int64) *pool {
	p := &pool{region: reg, prefixes: prefixes, ranges: rangesOf(length, prefixes...)}
	for _, r := range p.ranges {
		p.capacity += r.size
	}
	p.n = max(1, min(want, p.capacity))
	r := key(seed, streamPool, salt)
	p.add = r.n64(p.capacity)
	p.mul = r.n64(p.capacity) | 1
	for gcd(p.mul, p.capacity) != 1 {
		p.mul += 2
	}
	return p
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// number is the E.164 number of person v; v from n to capacity-1 gives numbers of nobody.
func (p *pool) number(v int64) int64 {
	pos := (v*p.mul + p.add) % p.capacity
	if r := p.ranges[0]; pos < r.size {
		return r.first + pos
	}
	for _, r := range p.ranges {
		if pos < r.size {
			return r.first + pos
		}
		pos -= r.size
	}
	panic("synth: person outside the pool")
}

// people is everyone who is called, and the users' own telephones.
type people struct {
	ukMobile, ukLand   *pool
	foreign            [5]*pool // by region; none for the UK
	pools              []*pool  // ukMobile first: its people are 0..n-1 of the world
	users              *pool    // British users' own mobiles
	total              int64
	talkMobile         int64 // the first talkMobile mobiles belong to people kept in long calls
	talkLand           int64
	talkMobilePerMille int // share of calls to such people that go to mobiles
	briefMobilePercent int // the same among the others
}

// dramaScale is the largest scale at which British numbers come from drama ranges alone.
const dramaScale = 0.01

// newPeople sizes the pools so that, at scale 1, 350,000 long calls reach about 200,000
// British numbers, 70,000 of them mobiles called by accounts that pass the policy met-2022,
// and all calls reach about 1.5 million British numbers.
func newPeople(seed uint64, scale float64) *people {
	p := &people{}
	k := func(n float64) int64 { return max(8, int64(n*scale)) }
	if scale <= dramaScale {
		// There are only a thousand drama mobiles: fewer people, called more often.
		p.talkMobile, p.talkLand, p.talkMobilePerMille, p.briefMobilePercent = k(100_000), k(650_000), 610, 20
		p.ukMobile = newPool(seed, 1, regionUK, 12, dramaMobiles, p.talkMobile)
		p.ukLand = newPool(seed, 2, regionUK, 12, dramaLandlines, min(p.talkLand+k(900_000), 12_500))
		p.users = newPool(seed, 3, regionUK, 12, dramaMobiles, 1000)
		p.foreign[regionUS] = newPool(seed, 4, regionUS, 11, usFiction(), k(2_200_000))
	} else {
		p.talkMobile, p.talkLand, p.talkMobilePerMille, p.briefMobilePercent = k(190_000), k(168_000), 540, 62
		p.ukMobile = newPool(seed, 1, regionUK, 12, withPrefix("44", emptyMobiles), p.talkMobile+k(780_000))
		p.ukLand = newPool(seed, 2, regionUK, 12, withPrefix("44", emptyLandlines), p.talkLand+k(400_000))
		p.users = newPool(seed, 3, regionUK, 12, withPrefix("44", emptyUserMobiles), 6_000_000)
		p.foreign[regionUS] = newPool(seed, 4, regionUS, 11, usExpansion, k(2_200_000))
	}
	p.ukMobile.mobile = true
	p.foreign[regionFR] = newPool(seed, 5, regionFR, 11, frFiction, k(350_000))
	p.foreign[regionAU] = newPool(seed, 6, regionAU, 11, auFiction, k(200_000))
	p.foreign[regionDE] = newPool(seed, 7, regionDE, 12, deFiction, k(200_000))
	p.pools = append([]*pool{p.ukMobile, p.ukLand}, p.foreign[1:]...)
	for _, q := range p.pools {
		q.first = p.total
		p.total += q.n
	}
	return p
}

func usFiction() []string {
	out := make([]string, len(usAreaCodes))
	for i, npa := range usAreaCodes {
		out[i] = "1" + npa + "55501"
	}
	return out
}

// poolOf is the pool that holds person v of the world.
func (p *people) poolOf(v int64) *pool {
	for _, q := range p.pools {
		if v < q.first+q.n {
			return q
		}
	}
	panic("synth: person outside the world")
}

func (p *people) number(v int64) int64 {
	q := p.poolOf(v)
	return q.number(v - q.first)
}

// appendCalled writes a called number the ways users type it. tech is a routing prefix in
// front of it, or zero.
func appendCalled(buf []byte, number int64, tech int, r *rng) []byte {
	if tech > 0 {
		buf = append(strconv.AppendInt(buf, int64(tech), 10), '#')
	}
	uk := number/1e10 == 44
	switch x := r.n(100); {
	case x < 66:
	case x < 74:
		buf = append(buf, "00"...)
	case x < 84:
		buf = append(buf, '+')
	case uk && x < 97:
		return strconv.AppendInt(append(buf, '0'), number%1e10, 10)
	case uk:
		return appendSpaced(buf, number)
	}
	return strconv.AppendInt(buf, number, 10)
}

// appendSpaced writes a British number in national form with spaces.
func appendSpaced(buf []byte, number int64) []byte {
	var d [12]byte
	n := strconv.AppendInt(append(d[:0], '0'), number%1e10, 10)
	switch {
	case n[1] == '2': // 020 7946 0123
		return append(append(append(append(append(buf, n[:3]...), ' '), n[3:7]...), ' '), n[7:]...)
	case n[1] == '1' && (n[2] == '1' || n[3] == '1'): // 0117 496 0123
		return append(append(append(append(append(buf, n[:4]...), ' '), n[4:7]...), ' '), n[7:]...)
	}
	return append(append(append(buf, n[:5]...), ' '), n[5:]...) // 07700 900123
}

// appendPresented writes a number the ways users enter the number to show.
func appendPresented(buf []byte, number int64, r *rng) []byte {
	uk := number/1e10 == 44
	switch x := r.n(100); {
	case x < 40:
	case x < 50:
		buf = append(buf, "00"...)
	case x < 72 || !uk:
		buf = append(buf, '+')
	case x < 90:
		return strconv.AppendInt(append(buf, '0'), number%1e10, 10)
	default:
		return appendSpaced(buf, number)
	}
	return strconv.AppendInt(buf, number, 10)
}
