package profile

import (
	"crypto/sha256"
	"math/big"
	"strings"
)

const base58Alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// bitcoinAddress reports whether s is a Bitcoin address whose checksum holds: base58check
// (P2PKH, P2SH) or bech32 and bech32m (BIP 173, BIP 350), of the main network.
func bitcoinAddress(s string) bool {
	if len(s) >= 14 && len(s) <= 90 && strings.EqualFold(s[:3], "bc1") {
		return segwitAddress(s)
	}
	if len(s) < 26 || len(s) > 35 || s[0] != '1' && s[0] != '3' {
		return false
	}
	n, base, digit := new(big.Int), big.NewInt(58), new(big.Int)
	for i := range len(s) {
		d := strings.IndexByte(base58Alphabet, s[i])
		if d < 0 {
			return false
		}
		n.Add(n.Mul(n, base), digit.SetInt64(int64(d)))
	}
	if n.BitLen() > 25*8 {
		return false
	}
	var raw [25]byte
	n.FillBytes(raw[:])
	ones, zeros := 0, 0
	for ones < len(s) && s[ones] == '1' {
		ones++
	}
	for zeros < len(raw) && raw[zeros] == 0 {
		zeros++
	}
	if ones != zeros { // each leading 1 is a leading zero byte
		return false
	}
	first := sha256.Sum256(raw[:21])
	second := sha256.Sum256(first[:])
	return string(second[:4]) == string(raw[21:]) && (raw[0] == 0x00 || raw[0] == 0x05)
}

const bech32Alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

func segwitAddress(s string) bool {
	if s != strings.ToLower(s) && s != strings.ToUpper(s) {
		return false
	}
	s = strings.ToLower(s)
	sum := uint32(1)
	step := func(v byte) {
		top := sum >> 25
		sum = (sum&0x1ffffff)<<5 ^ uint32(v)
		for i, g := range [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				sum ^= g
			}
		}
	}
	for _, v := range []byte{'b' >> 5, 'c' >> 5, 0, 'b' & 31, 'c' & 31} {
		step(v)
	}
	data := make([]byte, 0, len(s)-3)
	for i := 3; i < len(s); i++ {
		d := strings.IndexByte(bech32Alphabet, s[i])
		if d < 0 {
			return false
		}
		data = append(data, byte(d))
		step(byte(d))
	}
	if len(data) < 7 {
		return false
	}
	version, program := data[0], data[1:len(data)-6]
	bits := len(program) * 5
	bytes, rest := bits/8, bits%8
	if rest > 4 || version > 16 || bytes < 2 || bytes > 40 || rest > 0 && program[len(program)-1]&(1<<rest-1) != 0 {
		return false
	}
	if version == 0 {
		return sum == 1 && (bytes == 20 || bytes == 32)
	}
	return sum == 0x2bc830a3
}
