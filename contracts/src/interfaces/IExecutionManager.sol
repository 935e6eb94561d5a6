// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice What a block tells the transactions in it.
/// @param timestamp Seconds since the Unix epoch.
/// @param gasLimit Gas units of the whole block.
/// @param baseFeePerGas Wei (EIP-1559).
/// @param coinbase Receives the priority fees.
/// @param blobBaseFee Wei (EIP-7516).
/// @param protocolVersion Version of transpiler and gas schedule.
struct BlockContext {
    uint256 chainId;
    uint256 number;
    uint256 timestamp;
    uint256 gasLimit;
    uint256 baseFeePerGas;
    address coinbase;
    bytes32 prevRandao;
    uint256 blobBaseFee;
    uint256 l1OriginNumber;
    bytes32 l1OriginHash;
    uint256 protocolVersion;
}

/// @notice An unsigned call.
/// @param isCreation True if `data` is initcode and `to` means nothing.
/// @param gas OVM gas units for the outermost frame.
/// @param gasPrice Wei per gas, as GASPRICE answers it.
/// @param value Wei.
struct CallMessage {
    address from;
    bool isCreation;
    address to;
    uint256 value;
    uint256 gas;
    uint256 gasPrice;
    bytes data;
}

/// @notice What a transaction did.
/// @param gasUsed OVM gas units; intrinsic gas included for a transaction, not for a call.
/// @param effectiveGasPrice Wei per gas that the sender paid; zero for a deposit or a call, which pay nobody.
/// @param created The new contract, or zero.
/// @param returnData Of the outermost frame, or its revert data.
struct ExecutionOutcome {
    bool success;
    uint256 gasUsed;
    uint256 effectiveGasPrice;
    address sender;
    bytes32 transactionHash;
    address created;
    bytes returnData;
}

/// @title Execution manager
/// @notice The EVM inside the EVM: entry point of all calls, transactions and state of L2. Runs in the L2 node and on L1.
/// @dev Contracts reach the `ovm*` functions through the gate: their transpiled code leaves an operation in its own
/// transient storage and delegate-calls the manager, whose code, running in the contract's context, calls the manager
/// and then burns gas up to the operation's price. See `Gate`.
interface IExecutionManager {
    /// @notice A transaction or call is running already.
    error NestedRun();
    /// @notice Only code of the current frame may ask for operations. Not an error of a contract: it can't happen there.
    error NotCurrentFrame(address caller);
    /// @notice There is no such function.
    error UnknownOperation(bytes4 selector);
    /// @notice A frame that may not change state tried to.
    error StaticViolation(uint8 opcode);
    /// @notice Initcode is longer than EIP-3860 allows.
    error InitCodeTooLarge(uint256 size, uint256 limit);
    /// @notice Code exceeds EIP-170 when transpiled; it can't be deployed.
    error CodeNotDeployable(uint256 size);
    /// @notice A computed jump to a JUMPDEST that the transpiler's reduced table left out.
    error UnmappedJump(uint256 destination);
    /// @notice Less native gas than the run needs; nothing was judged. Send again with more.
    error NotEnoughGas(uint256 required, uint256 available);
    /// @notice The run can't be judged: an operation really cost more than its price, or state was not proven.
    error RunAborted(uint256 reason);
    /// @notice Only the node may run unsigned calls.
    error NotNode(address caller);
    error TransactionTooLarge(uint256 size, uint256 limit);
    error WrongProtocolVersion(uint256 expected, uint256 actual);
    error WrongChainId(uint256 expected, uint256 actual);
    error NonceTooLow(address sender, uint256 expected, uint256 actual);
    error NonceTooHigh(address sender, uint256 expected, uint256 actual);
    /// @notice The sender has code (EIP-3607).
    error SenderNotEOA(address sender);
    error FeeCapTooLow(uint256 maxFeePerGas, uint256 baseFeePerGas);
    error GasLimitTooHigh(uint256 gasLimit, uint256 limit);
    error IntrinsicGasTooLow(uint256 required, uint256 gasLimit);
    /// @notice The sender can't pay; or, with the reserve as sender, what a deposit mints is not there.
    error InsufficientFunds(address sender, uint256 required, uint256 available);

    /// @notice Checks and runs one raw transaction: signature, nonce, fees, value, execution. A deposit (type 0x7e) has no
    /// signature, nonce or fees: the reserve gives `mint` to its sender, who keeps it whatever follows; then it runs. A
    /// value above the sender's balance makes it fail, not invalid.
    /// @dev Whether L1 really made a deposit is for the caller to know.
    function executeTransaction(BlockContext calldata context, bytes calldata raw)
        external
        returns (ExecutionOutcome memory outcome);

    /// @notice Runs a call without signature, nonce or fees (eth_call). Only the node asks for it.
    function executeCall(BlockContext calldata context, CallMessage calldata message)
        external
        returns (ExecutionOutcome memory outcome);

    function ovmADDRESS() external returns (address);
    function ovmBALANCE(address account) external returns (uint256);
    function ovmORIGIN() external returns (address);
    function ovmCALLER() external returns (address);
    function ovmCALLVALUE() external returns (uint256);
    /// @notice Code of the running frame: the original one.
    function ovmCODECOPY(uint256 offset, uint256 size) external returns (bytes memory);
    function ovmGASPRICE() external returns (uint256);
    function ovmEXTCODESIZE(address account) external returns (uint256);
    function ovmEXTCODECOPY(address account, uint256 offset, uint256 size) external returns (bytes memory);
    /// @notice Return data of the frame's last call; RETURNDATASIZE and RETURNDATACOPY read it.
    function ovmRETURNDATA() external returns (bytes memory);
    function ovmEXTCODEHASH(address account) external returns (bytes32);
    function ovmBLOCKHASH(uint256 number) external returns (bytes32);
    function ovmCOINBASE() external returns (address);
    function ovmTIMESTAMP() external returns (uint256);
    function ovmNUMBER() external returns (uint256);
    function ovmPREVRANDAO() external returns (uint256);
    function ovmGASLIMIT() external returns (uint256);
    function ovmCHAINID() external returns (uint256);
    function ovmSELFBALANCE() external returns (uint256);
    function ovmBASEFEE() external returns (uint256);
    function ovmBLOBHASH(uint256 index) external returns (bytes32);
    function ovmBLOBBASEFEE() external returns (uint256);
    function ovmSLOAD(bytes32 slot) external returns (bytes32);
    function ovmSSTORE(bytes32 slot, bytes32 value) external;
    /// @notice Reports a computed jump that a reduced dispatch table can't serve; always reverts.
    function ovmJUMP(uint256 destination) external;
    function ovmTLOAD(bytes32 slot) external returns (bytes32);
    function ovmTSTORE(bytes32 slot, bytes32 value) external;
    function ovmLOG0(bytes calldata data) external;
    function ovmLOG1(bytes32 topic1, bytes calldata data) external;
    function ovmLOG2(bytes32 topic1, bytes32 topic2, bytes calldata data) external;
    function ovmLOG3(bytes32 topic1, bytes32 topic2, bytes32 topic3, bytes calldata data) external;
    function ovmLOG4(bytes32 topic1, bytes32 topic2, bytes32 topic3, bytes32 topic4, bytes calldata data) external;
    /// @param forwardedGas Gas for the new frame: the gate computes it from the caller's canonical gas.
    /// @param returnAllowance Gas that the caller can pay for return data; if it costs more the call fails.
    function ovmCREATE(uint256 value, uint256 forwardedGas, uint256 returnAllowance, bytes calldata initCode)
        external
        returns (address created, uint256 gasUsed, bytes memory revertData);
    function ovmCREATE2(
        uint256 value,
        bytes32 salt,
        uint256 forwardedGas,
        uint256 returnAllowance,
        bytes calldata initCode
    ) external returns (address created, uint256 gasUsed, bytes memory revertData);
    function ovmCALL(uint256 forwardedGas, address target, uint256 value, uint256 returnAllowance, bytes calldata data)
        external
        returns (bool success, uint256 gasUsed, bytes memory returnData);
    function ovmCALLCODE(
        uint256 forwardedGas,
        address target,
        uint256 value,
        uint256 returnAllowance,
        bytes calldata data
    ) external returns (bool success, uint256 gasUsed, bytes memory returnData);
    function ovmDELEGATECALL(uint256 forwardedGas, address target, uint256 returnAllowance, bytes calldata data)
        external
        returns (bool success, uint256 gasUsed, bytes memory returnData);
    function ovmSTATICCALL(uint256 forwardedGas, address target, uint256 returnAllowance, bytes calldata data)
        external
        returns (bool success, uint256 gasUsed, bytes memory returnData);
    /// @notice An init frame is about to return this as the new contract's code; reverts if it can't be deployed.
    function ovmRETURN(bytes calldata code) external;
    function ovmSELFDESTRUCT(address beneficiary) external;
}
